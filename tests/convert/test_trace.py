"""A run's model is traced in the worker, which reports its progress and may crash."""

import os

import pytest

from convnet_core.config.stages import ConvertConfig
from convnet_core.convert import trace
from convnet_core.errors import ConversionError
from convnet_core.events import Monitor, Progress
from convnet_core.stages.convert import run_convert
from tests.conftest import copy_of, python

CONFIG = ConvertConfig(only=("saved-model", "tflite-fp32"))


class Recorder(Monitor):
    def __init__(self):
        self.steps = []

    def emit(self, event):
        if isinstance(event, Progress) and event.unit == "":
            self.steps.append((event.label, event.done, event.total))


def test_the_steps_in_the_worker_and_those_after_it_count_as_one(finished_run, tmp_path):
    monitor = Recorder()
    run_convert(copy_of(finished_run, tmp_path), CONFIG, monitor)
    assert monitor.steps == [
        ("tracing the graph", 0, 3),
        ("writing saved_model", 1, 3),
        ("writing model.fp32.tflite", 2, 3),
        ("converted", 3, 3),
    ]


def test_a_crash_while_tracing_is_an_error_with_a_reason(finished_run, tmp_path, monkeypatch):
    monkeypatch.setattr(trace, "_trace_task", crash)
    run = copy_of(finished_run, tmp_path)
    before = run.record("convert/native")
    with pytest.raises(ConversionError, match="failed while it traced the graph: its process was killed by SIGABRT"):
        run_convert(run, CONFIG, Monitor())
    assert run.record("convert/native") == before


def crash(content, arrays, notify):
    os.abort()


def test_the_process_of_a_conversion_or_a_comparison_imports_no_large_library(finished_run, tmp_path):
    python(
        """
import sys
from pathlib import Path
from convnet_core.config.stages import CompareConfig, ConvertConfig
from convnet_core.events import Monitor
from convnet_core.runs.run import Run
from convnet_core.stages.compare import run_compare
from convnet_core.stages.convert import run_convert
run = Run.open(Path(sys.argv[1]))
run_convert(run, ConvertConfig(only=("saved-model",)), Monitor())
run_compare(run, CompareConfig(samples=5, batch_sizes=(3,)), Monitor())
assert not {"torch", "tensorflow"} & set(sys.modules)
""",
        str(copy_of(finished_run, tmp_path).path),
    )
