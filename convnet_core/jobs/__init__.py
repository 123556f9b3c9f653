"""A job is one command at work on a run, in a process of its own: start, follow, stop, find again.

    jobs/<id>/job.json       what it does and how it ended
    jobs/<id>/events.jsonl   what it tells (`convnet_core.events`), a JSON object a line
    jobs/<id>/log.txt        warnings, the libraries' own output, and the trace of a failure
    jobs/<id>/stop           the stop request: the file is there or not
    jobs/<id>/.lock          held by the process for its whole life

`job.json` is never trusted about life and death: a job that says "running" while its lock is free
has died. A job also holds the lock of its run, so that a second start is refused; a training holds
the lock of its device as well, so that a second one waits its turn.
"""

from convnet_core.jobs.follow import Following, following, thinned
from convnet_core.jobs.info import JobInfo
from convnet_core.jobs.watch import JobView, current, list_jobs, newest, start
from convnet_core.jobs.work import Job, device_lock, working

__all__ = [
    "Following",
    "Job",
    "JobInfo",
    "JobView",
    "current",
    "device_lock",
    "following",
    "list_jobs",
    "newest",
    "start",
    "thinned",
    "working",
]
