"""A run's folder: its records and what is out of date, the list of all runs, kept drawings."""
