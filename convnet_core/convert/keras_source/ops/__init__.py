"""Handlers: one file a family of operators."""
