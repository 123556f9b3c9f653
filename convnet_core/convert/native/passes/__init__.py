"""Passes, which transform a graph before conversion. A pass is a function from a graph to a graph."""
