"""Everything that runs a model: one file per runtime, the table of runtimes, a run's runtimes, and a warm pool."""
