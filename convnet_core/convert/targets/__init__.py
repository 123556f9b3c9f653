"""The files that conversion writes, a module a format."""
