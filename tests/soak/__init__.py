"""Longer trials of what must not break: `make soak`. Each has a short form in the suite."""
