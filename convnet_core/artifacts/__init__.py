"""A run's files for use elsewhere: the list of them, code that loads them, and all of them as one zip."""
