"""What `job.json` says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from convnet_core.common.files import new_id

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

    def __post_init__(self) -> None:
        """Raises ValueError where it names no process or no time: a signal to 0 or -1 would go to many."""
        if not 0 <= self.pid < 2**31 or (self.state == "running" and not self.pid):
            raise ValueError(f"{self.pid} is no process")
        try:
            datetime.fromisoformat(self.started).astimezone()
        except OverflowError as error:
            raise ValueError(f"{self.started!r} is no time of a job") from error

    @property
    def live(self) -> bool:
        """Whether it is at work."""
        return self.state in ("starting", "running")


def new_job_id(command: str) -> str:
    """Names of jobs sort by their start."""
    return f"{datetime.now():%Y%m%d-%H%M%S-%f}-{command}-{new_id()[:4]}"
