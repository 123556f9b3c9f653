"""What runs a model: a module a runtime, the list of a run's runtimes, and a pool that stays open."""
