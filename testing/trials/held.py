"""What a process holds: memory, threads, files, children."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Held:
    """What a process holds: its threads and files by name, its children."""

    threads: Counter[str]
    files: Counter[str]
    children: Counter[str]

    @classmethod
    def of(cls, pid: int) -> Held:
        threads, files, children = Counter[str](), Counter[str](), Counter[str]()
        for task in Path(f"/proc/{pid}/task").iterdir():
            try:
                threads[(task / "comm").read_text().strip()] += 1
                children.update((task / "children").read_text().split())
            except OSError:  # it ended while we looked
                continue
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                name = os.readlink(link)
            except OSError:
                continue
            files[name.partition(":")[0] if ":[" in name else name] += 1
        return cls(threads, files, children)

    def beyond(self, before: Held) -> str:
        """What there is more of than before, in words; nothing where all is as it was."""
        parts = []
        for what in ("threads", "files", "children"):
            now, then = getattr(self, what), getattr(before, what)
            if now.total() > then.total():
                parts.append(f"{now.total() - then.total()} {what} ({dict(now - then)})")
        return ", ".join(parts)

    def __str__(self) -> str:
        return f"{self.threads.total()} threads, {self.files.total()} files, {self.children.total()} children"


def resident(pid: int) -> float:
    """The resident memory of a process and its children, in MB."""
    own = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6
    return own + sum(resident(int(child)) for child in Held.of(pid).children)
