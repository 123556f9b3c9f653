"""Hostile input: every parser of `parsers.py` gets damaged files, and must answer with a result or with a ConvNetError.

The parsers work in a process of their own, and each in a fork of that one, so that a crash, five seconds or 500 MB too
many are seen as what they are. That process is `python -m testing.trials.fuzz plain|guided SECONDS FLIPS
EXAMPLES [PARSER ...]`; it prints what it found as JSON.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import mmap
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from testing.trials.lines import Line
from testing.trials.one_parser import KINDS, MOST_MB, MOST_SECONDS, Child, Fault, fault_of, peak_mb, placed

if TYPE_CHECKING:
    from testing.trials.parsers import Parser

ROOT = Path(__file__).resolve().parents[2]
_HUNG = 15.0  # seconds on the clock: a machine with other work must not look like a parser that hangs
_CRASHES = 5  # a parser that crashes more often is left alone
_START = 10.0  # seconds that the processes need to import everything

_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # for the many small files


# -- the process that they are forks of ---------------------------------------------------------------------


def plain(parser: Parser, flips: int, examples: int) -> tuple[list[Fault], dict[str, int]]:
    """Cuts, odd values, flips and structures for one parser: the faults, and how many files of each kind there were."""
    from testing.trials.structures import inputs

    with tempfile.TemporaryDirectory(dir=_MEMORY) as temporary, mmap.mmap(-1, 16 + 8 * len(KINDS)) as beat:
        told, crashes, skip = Path(temporary) / "faults", [], 0
        while len(crashes) < _CRASHES:
            folder = Path(tempfile.mkdtemp(dir=temporary))
            child = os.fork()
            if not child:
                with _quiet_end(folder):
                    Child(parser, folder, beat, told).run(inputs(parser, flips), skip, examples)
            ended = _awaited(child, lambda: beat[:8])
            if not ended:
                break
            skip, kind = struct.unpack_from("qq", beat)
            said = (folder / "error").read_text()[-300:] if (folder / "error").exists() else ""
            last = (folder / parser.file).read_bytes()[:80] if (folder / parser.file).exists() else b""
            crashes.append(Fault(parser.name, list(KINDS)[kind], f"{ended} {said}".strip(), repr(last)))
            if said:
                break  # not a crash: the trial itself went wrong, and would again
        lines = told.read_text().splitlines() if told.exists() else []
        counts = dict(zip(KINDS, struct.unpack_from(f"{len(KINDS)}q", beat, 16), strict=True))
    return _merged([Fault(**json.loads(line)) for line in lines] + crashes), counts


@contextlib.contextmanager
def _quiet_end(folder: Path) -> Iterator[None]:
    """In a fork: nothing printed, and no way back into what the parent was about to do."""
    status = 1
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        warnings.simplefilter("ignore")
        yield
        status = 0
    except BaseException:
        (folder / "error").write_text(traceback.format_exc())
    finally:
        os._exit(status)


def _awaited(child: int, progress: Callable[[], bytes]) -> str:
    """How a fork ended, "" for well; it is killed where `progress` stands still for too long."""
    since, before = time.monotonic(), progress()
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return "" if not code else f"crashed by signal {-code}" if code < 0 else f"ended with status {code}"
        if (here := progress()) != before:
            since, before = time.monotonic(), here
        if time.monotonic() - since > _HUNG:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return f"hung for over {_HUNG:.0f} s"
        time.sleep(0.01)


def guided(parser: Parser, seconds: float) -> tuple[list[Fault], dict[str, int]]:
    """libFuzzer on one parser. It ends at the first fault."""
    import atheris

    from testing.trials.structures import inputs

    with tempfile.TemporaryDirectory(dir=_MEMORY) as temporary:
        folder, corpus = Path(temporary) / "files", Path(temporary) / "corpus"
        folder.mkdir()
        corpus.mkdir()
        starts = [parser.seed(), *(content for kind, content in inputs(parser, 0) if kind == "odd")]
        for place, content in enumerate(item for item in starts if len(item) < 4096):
            (corpus / f"{place:05}").write_bytes(content)
        log = Path(temporary) / "log"
        child = os.fork()
        if not child:
            output = os.open(log, os.O_WRONLY | os.O_CREAT)
            os.dup2(output, 1)
            os.dup2(output, 2)
            warnings.simplefilter("ignore")
            path = placed(parser, folder)

            def one(content: bytes) -> None:
                path.write_bytes(content)
                if found := fault_of(parser.parse, path):
                    print(f"FAULT {found} ON {content[:80]!r}", file=sys.stderr, flush=True)
                    os._exit(77)

            options = [
                f"-max_total_time={max(1, int(seconds))}",
                f"-timeout={MOST_SECONDS:.0f}",
                f"-rss_limit_mb={peak_mb() + MOST_MB}",
                "-max_len=4096",
                "-print_final_stats=1",
                f"-artifact_prefix={temporary}/",
                str(corpus),
            ]
            atheris.Setup([sys.argv[0], *options], one)
            atheris.Fuzz()
            os._exit(0)
        deadline = time.monotonic() + seconds + MOST_SECONDS + 1
        # libFuzzer watches each input itself; here only the whole has an end.
        ended = _awaited(child, lambda: os.urandom(8) if time.monotonic() < deadline else b"")
        said = log.read_text(errors="replace")
    ran = re.findall(r"number_of_executed_units: (\d+)|^#(\d+)", said, re.M)
    count = {"guided": max((int(total or at) for total, at in ran), default=0)}
    if not ended:
        return [], count
    found = re.search(r"FAULT (.*) ON (.*)", said)
    text, file = (found[1], found[2]) if found else (f"{ended}: {' '.join(said[-400:].split())}", "")
    return [Fault(parser.name, "guided", text, file)], count


def _merged(faults: list[Fault]) -> list[Fault]:
    """One for each place in the code where they come from."""
    first: dict[tuple[str, str], Fault] = {}
    for fault in faults:
        key = (fault.parser, re.sub(r"\d+\.\d s|\d+ MB", "", fault.text.partition(": ")[0]))
        held = first.get(key)
        first[key] = dataclasses.replace(held, times=held.times + 1) if held else fault
    return list(first.values())


def main(mode: str, seconds: float, flips: int, examples: int, names: list[str]) -> None:
    """Every parser, or those of these names, within about `seconds` where they are guided."""
    with contextlib.ExitStack() as stack:
        if mode == "guided":
            import atheris

            stack.enter_context(atheris.instrument_imports(include=["convnet_core", "json"]))
        from testing.trials.parsers import BROKEN, PARSERS
    every = BROKEN if mode == "self-test" else PARSERS
    chosen = [parser for parser in (*PARSERS, *BROKEN) if parser.name in names] or every
    began, faults, counts = time.monotonic(), list[Fault](), collections.Counter[str]()
    for place, parser in enumerate(chosen):
        if mode == "guided":
            left = seconds - (time.monotonic() - began)
            found, many = guided(parser, left / (len(chosen) - place))
        else:
            found, many = plain(parser, flips // len(chosen) + (place < flips % len(chosen)), examples)
        faults += found
        counts.update(many)
    print(json.dumps({"faults": [dataclasses.asdict(fault) for fault in faults], "counts": counts}))


# -- the trial ----------------------------------------------------------------------------------------------


def run(
    mode: str, seconds: float, flips: int = 0, examples: int = 0, names: tuple[str, ...] = ()
) -> tuple[list[Fault], dict[str, int]]:
    """What `main` finds in a process of its own."""
    argv = [sys.executable, "-m", "testing.trials.fuzz", mode, str(seconds), str(flips), str(examples), *names]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 600, env=_environment())
    if done.returncode:
        raise RuntimeError(f"the trial itself failed: {done.stderr[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    return [Fault(**fault) for fault in said["faults"]], said["counts"]


def _environment() -> dict[str, str]:
    """One thread for every library: a fork has no other."""
    return {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")}


def lines(faults: list[Fault], counts: dict[str, int]) -> list[Line]:
    """A line for each kind of input that was tried."""
    made = []
    for kind, what in KINDS.items():
        if counts.get(kind):
            found = [
                f"{fault.parser}: {fault.text} ({fault.times} times) on {fault.file}"
                for fault in faults
                if fault.kind == kind
            ]
            happy = "a right answer or one clear line"
            made.append(Line(what, f"{counts[kind]:,} files", "; ".join(found) or happy, not found))
    return made


def trial(seconds: float) -> list[Line]:
    """Cuts, odd values, 10,000 flips and structures for all parsers, then libFuzzer for what is left of the time."""
    began = time.monotonic()
    faults, counts = run("plain", seconds, flips=10_000, examples=50)
    left = seconds - (time.monotonic() - began) - _START
    if left <= 0:
        return [*lines(faults, counts), Line(KINDS["guided"], "0 files", "not tried: no time was left", False)]
    more, many = run("guided", left)
    return lines(faults + more, {**counts, **many})


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
