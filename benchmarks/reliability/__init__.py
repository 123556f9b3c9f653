"""Trials of faults, hostile input and load: `python -m benchmarks.reliability`."""
