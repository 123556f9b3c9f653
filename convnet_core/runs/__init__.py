"""A run's folder: the records of its stages, which stages are stale, the list of all runs, saved drawings."""
