"""Try one parser's inputs in a fork. Faults go to a file; progress goes to memory shared with the parent."""

from __future__ import annotations

import dataclasses
import json
import mmap
import resource
import struct
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testing.trials.parsers import Parser

MOST_SECONDS, MOST_MB = 5.0, 500
KINDS = {
    "cut": "a file cut short at every byte",
    "odd": "a well-formed file with a wrong value in every place, too deep, too large or of another type",
    "flip": "a file with up to 8 bits flipped",
    "structure": "a document that Hypothesis derived from a valid one",
    "guided": "files that libFuzzer (atheris) generated, guided by branch coverage",
}
_ADDRESS_SPACE = 6 << 30  # extra bytes that a parser may allocate before it gets a MemoryError


@dataclass(frozen=True)
class Fault:
    """What a parser did wrong, and how often; `file` shows the first bytes of the first file that triggered it."""

    parser: str
    kind: str
    text: str
    file: str
    times: int = 1


def write_seed(parser: Parser, folder: Path) -> Path:
    """Write a parser's seed and the files it needs beside it into a folder; returns the seed's path."""
    for name, content in {**parser.around, parser.file: parser.seed()}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder / parser.file


class Child:
    """Tries one parser on its inputs, and reports the current input to the parent through `heartbeat`."""

    def __init__(self, parser: Parser, folder: Path, heartbeat: mmap.mmap, faults: Path) -> None:
        self.parser, self.path = parser, write_seed(parser, folder)
        self._heartbeat, self._faults, self._base = heartbeat, faults, 0

    def run(self, inputs: Iterator[tuple[str, bytes]], skip: int, examples: int) -> None:
        limit = _address_space() + _ADDRESS_SPACE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        self.parser.parse(self.path)  # a seed is valid, so an error here ends the trial
        self._base = peak_mb()
        for index, (kind, content) in enumerate(inputs):
            if index >= skip:
                self.try_input(index, kind, content)
        if examples and self.parser.is_json:
            from testing.trials.structures import try_generated

            try_generated(
                self.parser.seed(), examples, lambda content: self.try_input(self._count(), "structure", content)
            )

    def _count(self) -> int:
        return int(struct.unpack_from("q", self._heartbeat)[0])

    def try_input(self, index: int, kind: str, content: bytes) -> None:
        number = list(KINDS).index(kind)
        struct.pack_into("qq", self._heartbeat, 0, index + 1, number)
        at = 16 + 8 * number
        struct.pack_into("q", self._heartbeat, at, struct.unpack_from("q", self._heartbeat, at)[0] + 1)
        start = time.process_time()
        self.path.write_bytes(content)
        if fault := fault_of(self.parser.parse, self.path):
            self._record(kind, fault, content)
        if (seconds := time.process_time() - start) > MOST_SECONDS:
            self._record(kind, f"took {seconds:.1f} s", content)
        if (peak := peak_mb()) > self._base + MOST_MB:
            self._record(kind, f"took {peak - self._base} MB", content)
            self._base = peak

    def _record(self, kind: str, text: str, content: bytes) -> None:
        with self._faults.open("a") as file:
            file.write(json.dumps(dataclasses.asdict(Fault(self.parser.name, kind, text, repr(content[:80])))) + "\n")


def fault_of(parse: Callable[[Path], object], path: Path) -> str:
    """What a parser did wrong; empty if it returned a result or raised a ConvNetError."""
    from convnet_core.errors import ConvNetError

    try:
        parse(path)
    except ConvNetError as error:
        return "" if len(str(error)) < 2000 and "\n" not in str(error) else f"not one line: {str(error)[:300]!r}"
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        our_frames = [frame for frame in frames if "convnet_core" in frame.filename] or frames
        where = f"{Path(our_frames[-1].filename).name}:{our_frames[-1].lineno}"
        return f"{type(error).__name__} at {where}: {' '.join(str(error).split())[:120]}"
    return ""


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
