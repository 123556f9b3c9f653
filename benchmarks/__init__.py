"""Measurements that the README and docs/TARGETS.md quote; each is `python -m benchmarks.NAME`."""
