"""Trials of faults, hostile input and load: `python -m benchmarks.reliability` runs them whole, the tests in short."""
