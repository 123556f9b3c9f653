"""Graphs of models as plain data, laid out: what a page draws and the command `graph` prints."""
