"""How fast each runtime loads and runs, measured in a separate process."""
