"""The resources of a process: memory, threads, open files, children."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessResources:
    """A process's threads by name, open files by path, and child process ids."""

    threads: Counter[str]
    files: Counter[str]
    children: Counter[str]

    @classmethod
    def of(cls, pid: int) -> ProcessResources:
        threads, files, children = Counter[str](), Counter[str](), Counter[str]()
        for task in Path(f"/proc/{pid}/task").iterdir():
            try:
                threads[(task / "comm").read_text().strip()] += 1
                children.update((task / "children").read_text().split())
            except OSError:  # it ended in the meantime
                continue
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                name = os.readlink(link)
            except OSError:
                continue
            files[name.partition(":")[0] if ":[" in name else name] += 1
        return cls(threads, files, children)

    def excess_over(self, before: ProcessResources) -> str:
        """What has increased since `before`, in words; empty if nothing has."""
        parts = []
        for what in ("threads", "files", "children"):
            now, then = getattr(self, what), getattr(before, what)
            if now.total() > then.total():
                parts.append(f"{now.total() - then.total()} {what} ({dict(now - then)})")
        return ", ".join(parts)

    def __str__(self) -> str:
        return f"{self.threads.total()} threads, {self.files.total()} files, {self.children.total()} children"


def resident(pid: int) -> float:
    """Resident memory of a process and its descendants, in MB."""
    parent = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6
    return parent + sum(resident(int(child)) for child in ProcessResources.of(pid).children)
