"""One file per command: `add_flags` defines its flags, `execute` runs it, `EXAMPLE` closes its help."""
