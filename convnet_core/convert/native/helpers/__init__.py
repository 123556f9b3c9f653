"""Helpers shared by several operators."""
