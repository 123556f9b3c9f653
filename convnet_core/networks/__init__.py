"""The networks, files of weights, and layers that are faster on a CPU."""
