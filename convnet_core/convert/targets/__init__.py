"""The files that conversion writes, one module per format."""
