"""The command line: `main` runs a command, `parser` lists them, `commands/` holds a module each."""
