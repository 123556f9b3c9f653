"""Model graphs as plain data with a layout, for the pages and the command `graph`."""
