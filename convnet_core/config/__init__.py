"""The settings of every stage, with their bounds and help, the presets, and a config as command-line arguments."""
