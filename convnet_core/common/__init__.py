"""Helpers for all packages: atomic writes, folders, safe zip archives, JSON to dataclasses, number formatting."""
