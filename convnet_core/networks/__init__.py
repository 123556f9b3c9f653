"""The networks to train, their weights in files, and layers that are faster on a CPU."""
