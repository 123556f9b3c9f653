"""The list of runs as a table whose rows open a run: table.html, table.css and table.js are its part in the browser."""
