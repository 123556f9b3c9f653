"""Measure the difference between runtimes, judge it, and report it."""
