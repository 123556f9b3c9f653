"""Measuring a runtime: the arithmetic, runtimes that fail, and the separate process."""

import dataclasses
import json
import signal
import statistics
import subprocess
import sys
import time
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from convnet_core.benchmark.measure import follow, measure, measure_in_process, summarize
from convnet_core.benchmark.results import Speed, Timing
from convnet_core.config.stages import BenchmarkConfig
from convnet_core.runs.run import Run
from convnet_core.runtimes.base import Runtime
from convnet_core.runtimes.registry import Source, sources
from convnet_core.tensors.arrays import TensorInfo
from tests.conftest import ROOT, copy_of, python
from tests.support.marks import few_quick

TINY = BenchmarkConfig(batch_sizes=(1, 4), seconds=0.03, warmup=0)
BLANK = Speed(name="fake", converter=None, bytes=1)


class Fake(Runtime):
    """Doubles its input after `seconds`, or fails at the batch sizes in `fails_at`."""

    name = "fake"

    def __init__(self, seconds=0.0, fails_at=(), batch=None):
        super().__init__()
        self.inputs = (TensorInfo("x", "float32", (batch, 3)),)
        self.outputs = (TensorInfo("y", "float32", (batch, 3)),)
        self.seconds, self.fails_at, self.batches = seconds, fails_at, []

    def _infer(self, feeds):
        self.batches.append(len(feeds["x"]))
        if len(feeds["x"]) in self.fails_at:
            raise ValueError(f"no batches\nof {len(feeds['x'])}")
        time.sleep(self.seconds)
        return {"y": 2 * feeds["x"]}


def source(open_runtime, library="json"):
    return Source("fake", None, (), 1, partial(import_module, library), open_runtime)


def measure_fake(open_runtime, config=TINY, library="json"):
    return list(measure(source(open_runtime, library), config))[-1]


# -- arithmetic -------------------------------------------------------------------------------------


def test_median_p95_and_throughput_match_their_definitions(rng):
    seconds = rng.exponential(0.002, 501).tolist()
    timing = summarize(8, seconds)
    assert timing.calls == 501
    assert timing.median_ms == pytest.approx(1000 * statistics.median(seconds))
    assert timing.p95_ms == pytest.approx(1000 * statistics.quantiles(seconds, n=100, method="inclusive")[94])
    assert timing.p95_ms == pytest.approx(1000 * np.percentile(seconds, 95))
    assert timing.samples_per_second == pytest.approx(8 / statistics.median(seconds))


def test_a_failed_timing_has_no_figures():
    assert summarize(8, [0.1], "no") == Timing(batch=8, fault="no")
    assert summarize(8, []) == Timing(batch=8)


def test_measured_latency_includes_the_runtime_delay():
    speed = measure_fake(lambda: Fake(seconds=0.004))
    assert [timing.batch for timing in speed.timings] == [1, 4]
    one, four = speed.timings
    assert 4 <= one.median_ms <= one.p95_ms
    assert four.samples_per_second == pytest.approx(4000 / four.median_ms)
    assert speed.first_seconds >= 0.004
    assert speed.inputs == {"x": "float32 1 × 3"}


def test_warm_up_calls_do_not_count():
    runtime = Fake()
    config = BenchmarkConfig(batch_sizes=(1,), seconds=0.01, warmup=5)
    speed = measure_fake(lambda: runtime, config)
    assert (
        len(runtime.batches) == 1 + 3 * 5 + speed.timings[0].calls
    )  # first answer, warm-up of three rounds, counted calls


def test_batch_1_is_always_measured():
    speed = measure_fake(Fake, BenchmarkConfig(batch_sizes=(4,), seconds=0.01))
    assert [timing.batch for timing in speed.timings] == [1, 4]
    assert speed.latency.batch == 1


def test_loaded_memory_is_what_opening_adds():
    """Runs in a fresh process, because a used one may reuse memory that it freed before."""
    output = python("""
import numpy as np
from tests.benchmark.test_measure import Fake, measure_fake
arrays = []
def open_runtime():
    arrays.append(np.ones(60_000_000, np.uint8))
    return Fake()
speed = measure_fake(open_runtime)
print(speed.loaded_mb, speed.peak_mb)
""").stdout
    loaded, peak = map(float, output.split()[-2:])
    assert 55 < loaded < 90
    assert peak >= loaded - 1


# -- failures ---------------------------------------------------------------------------------------


def test_failing_at_one_batch_size_does_not_stop_the_others():
    speed = measure_fake(lambda: Fake(fails_at=(4,)), TINY.replace(batch_sizes=(1, 4, 9)))
    assert [(timing.batch, timing.fault, timing.calls > 0) for timing in speed.timings] == [
        (1, "", True),
        (4, "no batches of 4", False),
        (9, "", True),
    ]
    assert speed.fault == ""
    assert speed.faults == "batch 4: no batches of 4"


def test_a_model_with_a_fixed_batch_is_measured_at_that_batch():
    speed = measure_fake(lambda: Fake(batch=4), TINY.replace(batch_sizes=(1, 8)))
    assert speed.latency.batch == 4
    assert {timing.batch: timing.fault for timing in speed.timings} == {
        1: "the model only accepts batches of 4",
        4: "",
        8: "the model only accepts batches of 4",
    }


def test_a_missing_library_or_unloadable_model_is_reported_with_its_reason():
    assert "no_such_library" in measure_fake(Fake, library="no_such_library").fault

    def fail_to_open():
        raise OSError("torn file")

    speed = measure_fake(fail_to_open)
    assert (speed.fault, speed.timings) == ("torn file", ())
    assert speed.import_seconds is not None


def test_a_failed_first_answer_keeps_earlier_measurements():
    speed = measure_fake(lambda: Fake(fails_at=(1,)))
    assert speed.fault == "no batches of 1"
    assert speed.load_seconds is not None


# -- the separate process ---------------------------------------------------------------------------


def follow_code(code, limit=20.0, tell=lambda _: None):
    """Call `follow` on a process that prints one line of results and then runs the code."""
    result = json.dumps(dataclasses.asdict(dataclasses.replace(BLANK, import_seconds=0.5)))
    return follow([sys.executable, "-c", f"print({result!r}, flush=True)\n{code}"], BLANK, limit, tell)


def test_a_process_that_dies_leaves_its_results_and_a_reason():
    assert follow_code("pass") == dataclasses.replace(BLANK, import_seconds=0.5)
    for code, reason in (
        ("raise SystemExit(5)", "exited with status 5"),
        ("import os; os.abort()", "SIGABRT"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL (out of memory?)"),
        ("import os; print('{\"half', end='', flush=True); os.abort()", "SIGABRT"),
    ):
        speed = follow_code(code)
        assert speed.import_seconds == 0.5
        assert reason in speed.fault


@pytest.mark.slow
def test_a_hanging_process_is_stopped_at_the_limit():
    began = time.monotonic()
    speed = follow_code("import time; time.sleep(600)", limit=5.0)
    assert speed.fault == "given up after 5 s"
    assert speed.import_seconds == 0.5
    assert time.monotonic() - began < 300


def test_the_process_ends_when_the_listener_raises(tmp_path):
    def tell(speed):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow_code(f"import time; time.sleep(2); open({str(tmp_path / 'alive')!r}, 'w')", tell=tell)
    time.sleep(2.5)
    assert not (tmp_path / "alive").exists()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to find the process")
@pytest.mark.parametrize(("number", "status"), few_quick([(signal.SIGTERM, 3), (signal.SIGKILL, -9)]))
def test_a_stopped_or_killed_benchmark_leaves_no_process_and_no_folder(finished_run, tmp_path, number, status):
    run = copy_of(finished_run, tmp_path)
    job = subprocess.Popen(
        [sys.executable, "-m", "convnet_core", "benchmark", "--run", run.path, "--seconds", "60"],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    children = Path(f"/proc/{job.pid}/task/{job.pid}/children")
    try:
        wait_for(
            lambda: any('"done": 3,' in file.read_text() for file in run.path.glob("jobs/*benchmark*/events.jsonl"))
        )
        measuring = wait_for(lambda: next((pid for pid in children.read_text().split() if timing(pid)), None))
        job.send_signal(number)
        assert job.wait(120) == status
        wait_for(lambda: not timing(measuring), seconds=15)  # one round takes 20 s
    finally:
        job.kill()
        job.wait()
    assert Run.open(run.path).state("benchmark").state == "missing"
    assert not list(run.path.glob("benchmark*"))


def timing(pid):
    """Return whether a process is measuring a runtime."""
    try:
        return b"convnet_core.benchmark.measure" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)
    return value


def test_a_broken_artifact_is_reported_with_its_reason(finished_run, tmp_path):
    run = copy_of(finished_run, tmp_path)
    (run.path / "convert/native/model.int8.tflite").write_bytes(b"nonsense")
    chosen = {item.name: item for item in sources(run)}
    broken, intact = (
        measure_in_process(run, chosen[name], TINY, lambda _: None) for name in ("litert-int8", "litert-fp32")
    )
    assert "cannot load" in broken.fault
    assert intact.faults == ""


def test_library_output_is_not_taken_as_a_result(finished_run, tmp_path, monkeypatch):
    """A fake `onnxruntime` prints to standard output, through Python and directly, and fails to import."""
    (tmp_path / "onnxruntime.py").write_text(
        "import os\nprint('{}', flush=True)\nos.write(1, b'{}\\n')\nraise ImportError('not today')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    chosen = next(item for item in sources(finished_run) if item.name == "onnxruntime")
    assert measure_in_process(finished_run, chosen, TINY, lambda _: None).fault == "not today"
