"""Trials of faults, hostile input and load. `python -m benchmarks.reliability` runs them in full, the tests briefly."""
