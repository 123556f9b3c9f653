"""Hostile input: feed damaged files to every parser in `parsers.py`; each must return a result or raise a ConvNetError.

Each parser runs in a fork of a separate process, which detects crashes, and runs over five seconds or 500 MB.
That process is `python -m testing.trials.fuzz plain|guided SECONDS FLIPS EXAMPLES [PARSER ...]`; it prints JSON.
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
from testing.trials.one_parser import KINDS, MOST_MB, MOST_SECONDS, Child, Fault, fault_of, peak_mb, write_seed

if TYPE_CHECKING:
    from testing.trials.parsers import Parser

ROOT = Path(__file__).resolve().parents[2]
_HUNG = 15.0  # seconds of wall time, so that a busy machine does not look like a hanging parser
_CRASHES = 5  # give up on a parser after this many crashes
_START = 10.0  # seconds to import everything

_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # faster for many small files


# -- the process that forks -----------------------------------------------------------------------------------


def plain(parser: Parser, flips: int, examples: int) -> tuple[list[Fault], dict[str, int]]:
    """Try cuts, odd values, flips and structures on one parser; returns the faults and the number of files by kind."""
    from testing.trials.structures import inputs

    with tempfile.TemporaryDirectory(dir=_MEMORY) as temporary, mmap.mmap(-1, 16 + 8 * len(KINDS)) as heartbeat:
        log, skip = Path(temporary) / "faults", 0
        crashes: list[Fault] = []
        while len(crashes) < _CRASHES:
            folder = Path(tempfile.mkdtemp(dir=temporary))
            child = os.fork()
            if not child:
                with _quiet_end(folder):
                    Child(parser, folder, heartbeat, log).run(inputs(parser, flips), skip, examples)
            failure = _wait_for(child, lambda: heartbeat[:8])
            if not failure:
                break
            skip, kind = struct.unpack_from("qq", heartbeat)
            error = (folder / "error").read_text()[-300:] if (folder / "error").exists() else ""
            last = (folder / parser.file).read_bytes()[:80] if (folder / parser.file).exists() else b""
            crashes.append(Fault(parser.name, list(KINDS)[kind], f"{failure} {error}".strip(), repr(last)))
            if error:
                break  # not a crash: the trial itself failed, and would fail again
        lines = log.read_text().splitlines() if log.exists() else []
        counts = dict(zip(KINDS, struct.unpack_from(f"{len(KINDS)}q", heartbeat, 16), strict=True))
    return _merge_faults([Fault(**json.loads(line)) for line in lines] + crashes), counts


@contextlib.contextmanager
def _quiet_end(folder: Path) -> Iterator[None]:
    """In a fork: print nothing, and exit without returning to the parent's code."""
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


def _wait_for(child: int, progress: Callable[[], bytes]) -> str:
    """How a fork ended, "" for success. Kills it if `progress` does not change for too long."""
    since, last = time.monotonic(), progress()
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return "" if not code else f"crashed by signal {-code}" if code < 0 else f"ended with status {code}"
        if (current := progress()) != last:
            since, last = time.monotonic(), current
        if time.monotonic() - since > _HUNG:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return f"hung for over {_HUNG:.0f} s"
        time.sleep(0.01)


def guided(parser: Parser, seconds: float) -> tuple[list[Fault], dict[str, int]]:
    """Run libFuzzer on one parser until its first fault; returns it and the number of files."""
    import atheris

    from testing.trials.structures import inputs

    with tempfile.TemporaryDirectory(dir=_MEMORY) as temporary:
        folder, corpus = Path(temporary) / "files", Path(temporary) / "corpus"
        folder.mkdir()
        corpus.mkdir()
        starts = [parser.seed(), *(content for kind, content in inputs(parser, 0) if kind == "odd")]
        for index, content in enumerate(item for item in starts if len(item) < 4096):
            (corpus / f"{index:05}").write_bytes(content)
        log = Path(temporary) / "log"
        child = os.fork()
        if not child:
            output = os.open(log, os.O_WRONLY | os.O_CREAT)
            os.dup2(output, 1)
            os.dup2(output, 2)
            warnings.simplefilter("ignore")
            path = write_seed(parser, folder)

            def one(content: bytes) -> None:
                path.write_bytes(content)
                if fault := fault_of(parser.parse, path):
                    print(f"FAULT {fault} ON {content[:80]!r}", file=sys.stderr, flush=True)
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
        # libFuzzer limits each input itself; this only limits the whole run.
        failure = _wait_for(child, lambda: os.urandom(8) if time.monotonic() < deadline else b"")
        output_text = log.read_text(errors="replace")
    counters = re.findall(r"number_of_executed_units: (\d+)|^#(\d+)", output_text, re.M)
    count = {"guided": max((int(total or at) for total, at in counters), default=0)}
    if not failure:
        return [], count
    match = re.search(r"FAULT (.*) ON (.*)", output_text)
    text, file = (match[1], match[2]) if match else (f"{failure}: {' '.join(output_text[-400:].split())}", "")
    return [Fault(parser.name, "guided", text, file)], count


def _merge_faults(faults: list[Fault]) -> list[Fault]:
    """Merge faults that come from the same place in the code."""
    first: dict[tuple[str, str], Fault] = {}
    for fault in faults:
        key = (fault.parser, re.sub(r"\d+\.\d s|\d+ MB", "", fault.text.partition(": ")[0]))
        earlier = first.get(key)
        first[key] = dataclasses.replace(earlier, times=earlier.times + 1) if earlier else fault
    return list(first.values())


def main(mode: str, seconds: float, flips: int, examples: int, names: list[str]) -> None:
    """Try every parser, or those named, and print the faults as JSON. Guided fuzzing takes about `seconds`."""
    with contextlib.ExitStack() as stack:
        if mode == "guided":
            import atheris

            stack.enter_context(atheris.instrument_imports(include=["convnet_core", "json"]))
        from testing.trials.parsers import BROKEN, PARSERS
    every = BROKEN if mode == "self-test" else PARSERS
    chosen = [parser for parser in (*PARSERS, *BROKEN) if parser.name in names] or every
    start, faults, counts = time.monotonic(), list[Fault](), collections.Counter[str]()
    for index, parser in enumerate(chosen):
        if mode == "guided":
            seconds_left = seconds - (time.monotonic() - start)
            new_faults, files = guided(parser, seconds_left / (len(chosen) - index))
        else:
            new_faults, files = plain(parser, flips // len(chosen) + (index < flips % len(chosen)), examples)
        faults += new_faults
        counts.update(files)
    print(json.dumps({"faults": [dataclasses.asdict(fault) for fault in faults], "counts": counts}))


# -- the trial ----------------------------------------------------------------------------------------------


def run(
    mode: str, seconds: float, flips: int = 0, examples: int = 0, names: tuple[str, ...] = ()
) -> tuple[list[Fault], dict[str, int]]:
    """Run `main` in a separate process; returns the faults and the number of files by kind."""
    argv = [sys.executable, "-m", "testing.trials.fuzz", mode, str(seconds), str(flips), str(examples), *names]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 600, env=_environment())
    if done.returncode:
        raise RuntimeError(f"the trial itself failed: {done.stderr[-2000:]}")
    report = json.loads(done.stdout.splitlines()[-1])
    return [Fault(**fault) for fault in report["faults"]], report["counts"]


def _environment() -> dict[str, str]:
    """One thread for every library, since a fork loses all others."""
    return {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")}


def lines(faults: list[Fault], counts: dict[str, int]) -> list[Line]:
    """A table line for each kind of input tried."""
    result = []
    for kind, what in KINDS.items():
        if counts.get(kind):
            problems = [
                f"{fault.parser}: {fault.text} ({fault.times} times) on {fault.file}"
                for fault in faults
                if fault.kind == kind
            ]
            success = "a right answer or one clear line"
            result.append(Line(what, f"{counts[kind]:,} files", "; ".join(problems) or success, not problems))
    return result


def trial(seconds: float) -> list[Line]:
    """Try cuts, odd values, 10,000 flips and structures on all parsers, then libFuzzer for the remaining time."""
    start = time.monotonic()
    faults, counts = run("plain", seconds, flips=10_000, examples=50)
    seconds_left = seconds - (time.monotonic() - start) - _START
    if seconds_left <= 0:
        return [*lines(faults, counts), Line(KINDS["guided"], "0 files", "not tried: no time was left", False)]
    guided_faults, files = run("guided", seconds_left)
    return lines(faults + guided_faults, {**counts, **files})


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
