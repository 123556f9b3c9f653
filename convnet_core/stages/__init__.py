"""The stages: each reads its inputs from a run's folder and writes one folder into it.

A stage takes the run, its config and a monitor, has no state, prints nothing, and returns a typed
result. The caller must have the run's lock (`jobs.job.open_job` takes it).
"""
