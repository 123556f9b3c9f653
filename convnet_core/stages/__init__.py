"""The stages: each reads what it needs from a run's folder and writes one folder into it.

A stage takes the run, its config and a monitor, holds no state, prints nothing, and returns a typed
result. The caller holds the run's lock (`jobs.job.open_job` does).
"""
