"""A command in a process of its own: start it, follow its events, stop it."""
