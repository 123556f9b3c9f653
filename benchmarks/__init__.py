"""Measurements quoted in the README and docs/TARGETS.md; run each with `python -m benchmarks.NAME`."""
