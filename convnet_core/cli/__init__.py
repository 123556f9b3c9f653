"""The command line: `main` runs a command, `parser` lists them, `commands/` has one file per command."""
