"""A dissection as JSON, HTML, tables and pictures."""
