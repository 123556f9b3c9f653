"""A dissection as JSON, HTML, Markdown, tables and pictures."""
