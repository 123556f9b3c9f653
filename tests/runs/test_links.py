"""Links that lead out of a run are refused everywhere: reading, packing, reports, drawings."""

import io
import os

import numpy as np
import pytest

from convnet_core.artifacts import artifact, pack, snippets
from convnet_core.benchmark import results
from convnet_core.benchmark.results import Benchmark, Machine
from convnet_core.common.files import write_json
from convnet_core.compare import report_file
from convnet_core.config.stages import BenchmarkConfig
from convnet_core.errors import RunError
from convnet_core.graphs import graph_file
from convnet_core.jobs.job import open_job
from convnet_core.jobs.watcher import list_jobs
from convnet_core.runs import drawings
from convnet_core.training import history
from tests.conftest import copy_of
from tests.support.links import replace_with_link

REFUSED = "leads out of the run's folder"


@pytest.fixture
def run(finished_run, tmp_path):
    return copy_of(finished_run, tmp_path)


def load_signature(run):
    return snippets.signature_of(run, artifact.find(run, "frozen.pb"))


def test_a_log_is_not_read_through_a_link(run, tmp_path):
    with open_job(run, "train") as job:
        (job.folder / "log.txt").write_text("hello")
    (view,) = list_jobs(run)[:1]
    assert view.log() == "hello"
    replace_with_link(run, f"jobs/{view.folder.name}/log.txt", tmp_path)
    assert view.log() == ""


@pytest.mark.parametrize("path", ["/dev/zero", "pipe"])
def test_endless_files_are_not_read_for_their_digest(run, tmp_path, path):
    os.mkfifo(tmp_path / "pipe")
    (run.path / "export/model.onnx").unlink()
    (run.path / "export/model.onnx").symlink_to(tmp_path / path)
    assert run.state("export").state == "stale"
    (run.path / "export/stage.json").unlink()
    (run.path / "export/stage.json").symlink_to(tmp_path / path)
    assert "not a regular file" in run.state("export").reason
    with open_job(run, "train") as job:
        (job.folder / "events.jsonl").unlink()
        (job.folder / "events.jsonl").symlink_to(tmp_path / path)
    assert list_jobs(run)[0].events() == ([], 0)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("compare/report.json", report_file.load),
        ("train/metrics.json", history.read_report),
        ("export/graph.json", graph_file.of_run),
        ("convert/native/signature.json", load_signature),
        ("export/model.onnx", lambda run: run.file("export/model.onnx").read_bytes()),
    ],
)
def test_a_link_is_not_read(run, tmp_path, name, read):
    assert read(run)
    replace_with_link(run, name, tmp_path)
    with pytest.raises(RunError, match=REFUSED) as caught:
        read(run)
    assert run.command_for(name.rpartition("/")[0]) in caught.value.hint


def test_a_whole_folder_that_is_a_link_is_not_read(run, tmp_path):
    replace_with_link(run, "compare", tmp_path)
    with pytest.raises(RunError, match=REFUSED):
        report_file.load(run)


def test_a_link_to_another_file_of_the_run_is_accepted(run):
    (run.path / "export/copy.onnx").symlink_to(run.path / "export/model.onnx")
    assert run.file("export/copy.onnx").read_bytes() == run.file("export/model.onnx").read_bytes()


def test_a_folder_and_a_path_outside_the_run_are_refused(run, tmp_path):
    (tmp_path / "secret").write_text("password")
    for name, message in (("export", "is missing"), ("../secret", REFUSED), (str(tmp_path / "secret"), REFUSED)):
        with pytest.raises(RunError, match=message):
            run.file(name)


@pytest.mark.parametrize("kind", ["html", "json", "md"])
def test_a_report_that_is_a_link_is_not_packed(run, tmp_path, kind):
    replace_with_link(run, f"compare/report.{kind}", tmp_path)
    assert run.state("compare").state == "fresh"
    file = io.BytesIO()
    with pytest.raises(RunError, match=rf"report\.{kind} {REFUSED}"):
        pack.pack(run, file)
    assert file.getvalue() == b""


def test_a_benchmark_that_is_a_link_is_not_read(run, tmp_path):
    machine = Machine(cpu="", cores=1, system="")
    benchmark = Benchmark(created="", machine=machine, versions={}, config=BenchmarkConfig(), runtimes=())
    with run.write_stage("benchmark", {}) as draft:
        write_json(draft.path / "benchmark.json", benchmark.to_json())
    assert results.load(run) == benchmark
    replace_with_link(run, "benchmark/benchmark.json", tmp_path)
    with pytest.raises(RunError, match=REFUSED):
        results.load(run)


def test_a_drawing_that_is_a_link_is_not_read(run, tmp_path):
    image = np.ones((280, 280), np.float32)
    image[100:180, 120:160] = 0
    case = drawings.save(run, image, 1)
    replace_with_link(run, case.file, tmp_path)
    with pytest.raises(RunError, match=REFUSED):
        drawings.load_images(run, [case])
    with pytest.raises(RunError, match=REFUSED):
        drawings.picture_file(run, case)
