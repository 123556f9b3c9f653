"""The benchmark stage of a run, its displayed figures and its command."""

import dataclasses
import json
import sys

import pytest

from convnet_core.benchmark.measure import steps, summarize
from convnet_core.benchmark.results import Benchmark, Speed, format_figure, headline, load, rows
from convnet_core.config.fields import describe
from convnet_core.config.stages import BenchmarkConfig, ConvertConfig
from convnet_core.errors import ConfigError, RunError
from convnet_core.events import Monitor, Progress
from convnet_core.runs.stage_folders import ABSENT
from convnet_core.runtimes.registry import sources
from convnet_core.stages.benchmark import run_benchmark
from convnet_core.stages.convert import run_convert
from tests.conftest import convnet, copy_of
from tests.support.commands import options_of

TINY = BenchmarkConfig(batch_sizes=(1, 4), seconds=0.03, warmup=0)
FLAGS = ["--batch-sizes", "1,4", "--seconds", "0.03", "--warmup", "0"]
BLANK = Speed(name="fake", converter=None, bytes=1)


class Recorder(Monitor):
    def __init__(self):
        self.events = []

    def emit(self, event):
        self.events.append(event)


@pytest.fixture(scope="module")
def recorder():
    return Recorder()


@pytest.fixture(scope="module")
def measured(finished_run, tmp_path_factory, recorder):
    """A run with a benchmark."""
    run = copy_of(finished_run, tmp_path_factory.mktemp("measured"))
    run_benchmark(run, TINY, recorder)
    return run


def test_every_runtime_of_a_run_is_measured(measured):
    benchmark = load(measured)
    assert [speed.name for speed in benchmark.runtimes] == [source.name for source in sources(measured)]
    for speed, source in zip(benchmark.runtimes, sources(measured), strict=True):
        assert speed.faults == ""
        assert speed.bytes == source.bytes
        assert speed.inputs == {"input": "float32 1 × 1 × 28 × 28"}
        assert [timing.batch for timing in speed.timings] == [1, 4]
        assert all(timing.calls >= 3 for timing in speed.timings)
        assert min(speed.import_seconds, speed.load_seconds, speed.first_seconds) > 0
        if sys.platform == "linux":
            assert 0 < speed.loaded_mb <= speed.peak_mb
    by_name = {speed.name: speed for speed in benchmark.runtimes}
    if sys.platform == "linux":  # separate processes: LiteRT's figure excludes TensorFlow
        assert by_name["litert-fp32"].peak_mb < by_name["tensorflow"].loaded_mb
    assert benchmark.config == TINY
    assert benchmark.machine.cores >= 1
    assert benchmark.machine.cpu


def test_progress_grows_to_its_total(measured, recorder):
    done = [event.done for event in recorder.events if isinstance(event, Progress)]
    totals = {event.total for event in recorder.events if isinstance(event, Progress)}
    assert done == sorted(done)
    assert totals == {done[-1]} == {8 * steps(TINY)}


def test_changing_an_artifact_makes_the_benchmark_stale(measured, tmp_path):
    assert measured.state("benchmark").state == "fresh"
    inputs = {name for name, digest in measured.record("benchmark").inputs.items() if digest != ABSENT}
    assert inputs == {file for item in sources(measured) for file in item.files}
    run = copy_of(measured, tmp_path)
    with (run.path / "export/model.onnx").open("ab") as file:
        file.write(b"\0")
    assert run.state("benchmark").state == "stale"
    assert run.state("benchmark").reason == "export is out of date"
    assert run.state("train").state == "fresh"


@pytest.mark.slow
def test_a_later_conversion_makes_the_benchmark_stale(finished_run, tmp_path):
    run = copy_of(finished_run, tmp_path)
    run.discard("convert/native")
    benchmark = run_benchmark(run, TINY, Monitor())
    assert [speed.name for speed in benchmark.runtimes] == ["pytorch", "onnxruntime", "onnxruntime-optimized"]
    assert run.state("benchmark").state == "fresh"
    run_convert(run, ConvertConfig(), Monitor())
    assert run.state("benchmark").reason == "convert/native has been added since"


def test_benchmark_without_an_export_is_an_error(trained_run, tmp_path):
    with pytest.raises(RunError, match="has no export yet"):
        run_benchmark(copy_of(trained_run, tmp_path), TINY, Monitor())


def test_benchmark_survives_json_and_a_damaged_file_is_an_error(measured, tmp_path):
    benchmark = load(measured)
    assert Benchmark.from_json(json.loads(json.dumps(benchmark.to_json()))) == benchmark
    run = copy_of(measured, tmp_path)
    for content in ("{}", "[]", "{", '{"created": 1, "machine": {"speed": 1}}'):
        (run.path / "benchmark/benchmark.json").write_text(content)
        with pytest.raises(RunError, match=r"benchmark\.json cannot be read"):
            load(run)


# -- display ----------------------------------------------------------------------------------------


def benchmark_with(measured, *speeds):
    return dataclasses.replace(load(measured), runtimes=speeds)


def test_rows_and_headline_name_the_fastest_and_the_failed_runtimes(measured):
    quick = dataclasses.replace(BLANK, name="quick", timings=(summarize(1, [0.001]), summarize(8, [0.1])))
    broad = dataclasses.replace(BLANK, name="broad", timings=(summarize(1, [0.002]), summarize(8, [0.004])))
    dead = dataclasses.replace(BLANK, name="dead", fault="torn file")
    benchmark = benchmark_with(measured, dead, broad, quick)
    assert headline(benchmark) == "first to answer: quick, 1 ms; most at a time: broad, 2,000 samples/s"
    first, second, third = rows(benchmark)
    assert (first["runtime"], first["median ms"], first["at batch"]) == ("dead", None, None)
    assert [speed.faults for speed in benchmark.runtimes] == ["torn file", "", ""]
    assert (second["samples/s"], second["at batch"], second["median ms"]) == (2000, 8, 2.0)
    assert (third["samples/s"], third["at batch"]) == (1000, 1)
    assert headline(benchmark_with(measured, dead)) == "no runtime could be measured"


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), ("a", "a"), (0.018349, "0.0183"), (99.96, "100"), (38400.4, "38,400"), (64, "64")]
)
def test_figures_have_three_significant_digits(value, shown):
    assert format_figure(value) == shown


@pytest.mark.slow
def test_command_prints_only_json_on_standard_output(finished_run, tmp_path):
    run = copy_of(finished_run, tmp_path)
    run.discard("convert/native")
    done = convnet("benchmark", "--run", run.path, *FLAGS, "--threads", 2, "--json")
    output = json.loads(done.stdout)
    assert output.pop("run") == str(run.path)
    assert Benchmark.from_json(output) == load(run)
    assert output["config"]["threads"] == 2
    assert "first to answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_command_prints_a_table_with_units(finished_run, tmp_path):
    run = copy_of(finished_run, tmp_path)
    run.discard("convert/native")
    output = convnet("benchmark", "--run", run.path, *FLAGS).stdout
    for word in ("median ms", "p95 ms", "samples/s", "import s", "peak MB", "size kB", "pytorch", "onnxruntime"):
        assert word in output


def test_every_field_is_a_flag_and_invalid_values_are_refused(finished_run):
    assert {f"--{field.flag}" for field in describe(BenchmarkConfig)} <= options_of("benchmark")
    done = convnet("benchmark", "--run", finished_run.path, "--batch-sizes", "0,1", check=2)
    assert "batch sizes must be from 1 to 4096" in done.stderr


@pytest.mark.parametrize(
    "change", [{"batch_sizes": ()}, {"batch_sizes": (0,)}, {"seconds": 0.0}, {"threads": 0}, {"limit": float("inf")}]
)
def test_config_refuses_invalid_values(change):
    with pytest.raises(ConfigError):
        BenchmarkConfig(**change)
