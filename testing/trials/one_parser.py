"""One parser and its inputs, in a fork: its faults go to a file, and where it is to memory that its parent sees."""

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
    "odd": "a file of the right form with a wrong value in every place, too deep, too large or of another kind",
    "flip": "a file with up to 8 bits turned over",
    "structure": "a document that Hypothesis made of a valid one",
    "guided": "files that libFuzzer (atheris) made, guided by the branches they take",
}
_ADDRESS_SPACE = 6 << 30  # bytes beyond what a parser has when it begins: what asks for more gets a MemoryError


@dataclass(frozen=True)
class Fault:
    """What a parser did wrong, the first time and how often; `file` begins with the bytes that made it."""

    parser: str
    kind: str
    text: str
    file: str
    times: int = 1


def placed(parser: Parser, folder: Path) -> Path:
    """Write a parser's seed, and what has to lie around it, into a folder; the seed's path."""
    for name, content in {**parser.around, parser.file: parser.seed()}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder / parser.file


class Child:
    """Tries one parser on its inputs; tells the parent by `beat` which input it is at."""

    def __init__(self, parser: Parser, folder: Path, beat: mmap.mmap, faults: Path) -> None:
        self.parser, self.path = parser, placed(parser, folder)
        self._beat, self._faults, self._base = beat, faults, 0

    def run(self, inputs: Iterator[tuple[str, bytes]], skip: int, examples: int) -> None:
        limit = _address_space() + _ADDRESS_SPACE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        self.parser.parse(self.path)  # a seed is valid: what this raises ends the trial
        self._base = peak_mb()
        for place, (kind, content) in enumerate(inputs):
            if place >= skip:
                self.tried(place, kind, content)
        if examples and self.parser.is_json:
            from testing.trials.structures import each

            each(self.parser.seed(), examples, lambda content: self.tried(self._count(), "structure", content))

    def _count(self) -> int:
        return int(struct.unpack_from("q", self._beat)[0])

    def tried(self, place: int, kind: str, content: bytes) -> None:
        number = list(KINDS).index(kind)
        struct.pack_into("qq", self._beat, 0, place + 1, number)
        at = 16 + 8 * number
        struct.pack_into("q", self._beat, at, struct.unpack_from("q", self._beat, at)[0] + 1)
        began = time.process_time()
        self.path.write_bytes(content)
        found = fault_of(self.parser.parse, self.path)
        if found:
            self._tell(kind, found, content)
        if (seconds := time.process_time() - began) > MOST_SECONDS:
            self._tell(kind, f"took {seconds:.1f} s", content)
        if (peak := peak_mb()) > self._base + MOST_MB:
            self._tell(kind, f"took {peak - self._base} MB", content)
            self._base = peak

    def _tell(self, kind: str, text: str, content: bytes) -> None:
        with self._faults.open("a") as file:
            file.write(json.dumps(dataclasses.asdict(Fault(self.parser.name, kind, text, repr(content[:80])))) + "\n")


def fault_of(parse: Callable[[Path], object], path: Path) -> str:
    """What came out of a parser that must not; empty where it gave a result or a ConvNetError."""
    from convnet_core.errors import ConvNetError

    try:
        parse(path)
    except ConvNetError as error:
        return "" if len(str(error)) < 2000 and "\n" not in str(error) else f"not one line: {str(error)[:300]!r}"
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "convnet_core" in frame.filename] or frames
        where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
        return f"{type(error).__name__} at {where}: {' '.join(str(error).split())[:120]}"
    return ""


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
