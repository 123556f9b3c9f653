"""The result in a stage's record is read as the dataclass of that stage."""

import dataclasses

import pytest

from convnet_core.errors import RunError
from convnet_core.jobs.overview import overview
from convnet_core.runs.run import Run
from convnet_core.runs.stage_results import ConversionResult, ExportResult, ImportResult

IMPORTED = ImportResult(3, 100, 18, faults=("Foo-1",), repairs=("a name",))


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", kind="model")


def record_of(run, stage, result):
    with run.write_stage(stage, {}) as draft:
        draft.result = result
    return run.record(stage)


def test_a_result_survives_json_and_can_be_read_as_its_base_class(run):
    record = record_of(run, "export", dataclasses.asdict(IMPORTED))
    assert record.result_as(ImportResult) == IMPORTED
    assert record.result_as(ExportResult) == ExportResult(3, 100, 18)


def test_fields_missing_from_an_old_record_get_their_defaults(run):
    record = record_of(run, "convert/native", {"sizes": {"frozen.pb": 7}, "onnx_nodes": 1, "tensorflow_ops": 2})
    assert record.result_as(ConversionResult) == ConversionResult({"frozen.pb": 7}, 1, 2, None, {})


def test_an_export_from_before_the_opset_was_recorded_is_read(run):
    assert record_of(run, "export", {"nodes": 5, "bytes": 100}).result_as(ExportResult) == ExportResult(5, 100)


@pytest.mark.parametrize("result", [{}, {"nodes": "many", "bytes": 1, "opset": 18}])
def test_a_damaged_result_is_an_error_but_the_run_is_still_listed(run, result):
    record = record_of(run, "export", result)
    with pytest.raises(RunError, match="the record of the stage export is damaged") as caught:
        record.result_as(ExportResult)
    assert caught.value.hint == "run the stage export again"
    assert overview(run).stages["export"].detail == ""
