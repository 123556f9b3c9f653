"""Parts of pages: each draws itself and handles its own clicks."""
