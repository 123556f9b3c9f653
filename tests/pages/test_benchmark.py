"""The Benchmark page with AppTest: empty, not measured, measured, stale, failed, running, damaged."""

import json

import pytest

from convnet_core.benchmark.results import FILE, STAGE, Benchmark, Machine, Speed, Timing
from convnet_core.common.files import write_json
from convnet_core.config.stages import BenchmarkConfig
from convnet_core.errors import RunError
from convnet_core.jobs import watcher
from convnet_core.jobs.job import open_job
from tests.conftest import RUNTIMES, copy_of
from tests.pages.conftest import button, open_page, running_job, text_of

INPUTS = ("export/model.onnx", "convert/native/model.fp32.tflite")


def speed(name, ms, **changes):
    timings = tuple(
        Timing(batch=batch, calls=9, median_ms=ms * batch, p95_ms=2 * ms * batch, samples_per_second=1e3 / ms)
        for batch in (1, 8)
    )
    defaults = {"import_seconds": 0.5, "load_seconds": 0.1, "first_seconds": 0.01, "loaded_mb": 20.0, "peak_mb": 30.0}
    inputs = {"image": "uint8 1 × 3 × 64 × 64"}
    return Speed(
        **{"name": name, "converter": None, "bytes": 1000, "inputs": inputs, "timings": timings, **defaults, **changes}
    )


@pytest.fixture
def run(root, finished_run):
    """A run with an invented benchmark: two runtimes that ran and one that failed."""
    run = copy_of(finished_run, root)
    dead = Speed(name="gamma", converter="onnx-tf", bytes=3, fault="torn file")
    benchmark = Benchmark(
        created="2026-11-20T10:00:00.000+00:00",
        machine=Machine(cpu="Some CPU", cores=2, system="Linux x86_64"),
        versions={},
        config=BenchmarkConfig(batch_sizes=(1, 8)),
        runtimes=(speed("alpha", 0.25), speed("beta", 0.5, peak_mb=None, loaded_mb=None), dead),
    )
    with run.write_stage(STAGE, benchmark.config.to_json(), INPUTS) as draft:
        write_json(draft.path / FILE, benchmark.to_json())
    return run


def test_without_a_run_it_offers_to_run_the_pipeline(root):
    app = open_page("benchmark")
    assert "needs a trained network" in text_of(app)
    assert button(app, "Run the pipeline")


def test_without_a_benchmark_it_offers_to_measure(root, finished_run):
    copy_of(finished_run, root)
    app = open_page("benchmark")
    assert "Not made yet: no runtime of this run has been measured." in text_of(app)
    assert button(app, "Measure")
    assert all(widget.help for widget in (*app.select_slider, *app.number_input, *app.button))


def test_the_button_starts_the_command_with_the_chosen_settings(root, finished_run, monkeypatch):
    run = copy_of(finished_run, root)
    started = []
    monkeypatch.setattr(watcher, "start", lambda run, arguments: started.append((run.name, list(arguments))))
    app = open_page("benchmark")
    app.select_slider[0].set_value(0.1)
    app.number_input[0].set_value(2).run()
    button(app, "Measure").click().run()
    assert not app.exception
    assert started == [(run.name, ["benchmark", "--seconds", "0.1", "--threads", "2"])]


def test_a_benchmark_shows_charts_table_and_machine(run):
    app = open_page("benchmark")
    text = text_of(app)
    assert "First to answer: alpha, 250 µs; most at a time: alpha, 4,000 samples/s" in text
    assert "Some CPU, 2 cores, Linux x86_64, 1 thread, image: uint8 1 × 3 × 64 × 64" in text
    assert "2026-11-20" in text
    assert "gamma: torn file" in text
    assert "stale" not in text
    assert len(app.get("plotly_chart")) == 5
    table = app.dataframe[0].value
    assert list(table["runtime"]) == ["alpha", "beta", "gamma"]
    assert list(table["p95 ms"])[:2] == [0.5, 1.0]
    assert button(app, "Measure again")
    kinds = ("success", "plotly_chart", "dataframe", "select_slider", "button")
    assert list(dict.fromkeys(item.type for item in app.main if item.type in kinds)) == list(kinds)


def test_charts_show_the_figures_and_omit_unknown_ones(run):
    charts = [json.loads(chart.proto.spec) for chart in open_page("benchmark").get("plotly_chart")]
    latency, first, memory, _, throughput = charts
    assert [trace["y"] for trace in latency["data"]] == [["alpha  250 µs"], ["beta  500 µs"]]
    assert latency["layout"]["xaxis"]["type"] == "log"
    assert [trace["name"] for trace in first["data"]] == ["import the library", "load the model", "first answer"]
    assert [name.split()[0] for name in memory["data"][0]["y"]] == ["alpha"]
    assert throughput["layout"]["xaxis"]["type"] == throughput["layout"]["yaxis"]["type"] == "log"
    for chart in charts:
        assert chart["layout"]["xaxis"]["title"]["text"]


@pytest.mark.slow
def test_a_stale_benchmark_is_marked_as_out_of_date(run):
    (run.path / "export/model.onnx").write_bytes(b"other")
    app = open_page("benchmark")
    assert "Out of date: export/model.onnx has changed since. Measure again." in text_of(app)
    assert not app.success
    assert button(app, "Bring the run up to date first")
    assert button(app, "Measure again")


@pytest.mark.slow
def test_a_damaged_benchmark_is_explained(run):
    (run.path / "benchmark" / FILE).write_text("{}")
    app = open_page("benchmark")
    assert "cannot be read" in text_of(app)
    assert button(app, "Measure again")


@pytest.mark.slow
def test_a_failed_benchmark_shows_its_reason(run):
    with pytest.raises(RunError), open_job(run, "benchmark"):
        raise RunError("no space left", "free some")
    text = text_of(open_page("benchmark"))
    assert "no space left" in text
    assert "free some" in text
    assert "First to answer: alpha" in text  # the earlier figures are still shown


@pytest.mark.slow
def test_a_running_benchmark_shows_progress(run):
    progress = "Progress(label='measuring alpha', done=3, total=9)"
    with running_job(run, "benchmark", "StageStarted(stage='benchmark')", progress):
        app = open_page("benchmark")
        assert "benchmark" in text_of(app)
        assert button(app, "Stop")
        assert not app.get("plotly_chart")


def test_each_runtime_has_a_color_and_each_converter_a_pattern():
    from pages.charts import style as charts

    assert len({charts.color_of(name) for name in RUNTIMES}) == len(RUNTIMES)
    for style_of in (charts.bar_of, charts.line_of):
        native, other = style_of("tensorflow"), style_of("onnx-tf/tensorflow")
        assert native["color"] == other["color"]
        assert native != other
    assert charts.symbol_of("onnx-tf/litert-int8") == charts.symbol_of("litert-int8") + "-open"
