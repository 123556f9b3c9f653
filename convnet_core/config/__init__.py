"""The settings of each stage with their ranges and help texts, the presets, and conversion to command-line flags."""
