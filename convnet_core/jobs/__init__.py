"""Jobs: run a command in a separate process, follow its events, stop it."""
