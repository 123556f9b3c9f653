"""`job.json`, the state of a job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from convnet_core.common.files import new_id

State = Literal["starting", "running", "done", "failed", "refused", "stopped", "died"]


@dataclass(frozen=True, kw_only=True)
class JobInfo:
    """The content of `job.json`. `state` is what the job wrote; `JobView.info` also checks that its process lives."""

    id: str
    command: str
    state: State
    started: str
    pid: int
    ended: str | None = None
    error: str | None = None
    hint: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for an invalid time or process id: a signal to 0 or -1 would reach many processes."""
        if not 0 <= self.pid < 2**31 or (self.state == "running" and not self.pid):
            raise ValueError(f"{self.pid} is not a process id")
        try:
            datetime.fromisoformat(self.started).astimezone()
        except OverflowError as error:
            raise ValueError(f"{self.started!r} is not a valid start time") from error

    @property
    def live(self) -> bool:
        """Whether the job is starting or running."""
        return self.state in ("starting", "running")


def new_job_id(command: str) -> str:
    """A new id; ids sort by start time."""
    return f"{datetime.now():%Y%m%d-%H%M%S-%f}-{command}-{new_id()[:4]}"
