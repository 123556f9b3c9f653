"""What `job.json` says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from convnet_core.files import new_id

State = Literal["starting", "running", "done", "failed", "refused", "stopped", "died"]


@dataclass(frozen=True, kw_only=True)
class JobInfo:
    """`job.json`. `state` is as the job wrote it; `JobView.info` has looked whether it still lives."""

    id: str
    command: str
    state: State
    started: str
    pid: int
    ended: str | None = None
    error: str | None = None
    hint: str = ""

    @property
    def live(self) -> bool:
        """Whether it is at work."""
        return self.state in ("starting", "running")


def new_job_id(command: str) -> str:
    """Names of jobs sort by their start."""
    return f"{datetime.now():%Y%m%d-%H%M%S-%f}-{command}-{new_id()[:4]}"
