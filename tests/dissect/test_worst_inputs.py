"""The file of worst inputs: it loads unchanged or gives one clear error."""

import io
import zipfile

import numpy as np
import pytest

from convnet_core.dissect.report import worst_inputs_file
from convnet_core.errors import RunError
from convnet_core.runs.run import Run
from testing.trials import seeds
from tests.support.links import replace_with_link

IMAGE = np.zeros((1, 1, 2, 2), np.float32)


@pytest.fixture
def run(tmp_path):
    run = Run.create(tmp_path / "run")
    (run.path / "dissect").mkdir()
    worst_inputs_file.save({"tensorflow": {"x": IMAGE, "a/b": np.ones((1, 3), bool)}}, run.path / "dissect")
    return run


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def zip_bytes(members, method=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def npz_claiming(shape):
    """An array whose header claims a larger size than the file has."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return zip_bytes({"t/x.npy": buffer.getvalue()})


def test_worst_inputs_load_unchanged(run):
    inputs = worst_inputs_file.load(run)
    assert list(inputs) == ["tensorflow/x", "tensorflow/a/b"]
    assert np.array_equal(inputs["tensorflow/x"], IMAGE)


def test_string_inputs_are_not_saved(run):
    """NumPy would pickle them, and pickled arrays are never loaded."""
    worst_inputs_file.save({"litert": {"words": np.array(["a"], object), "x": IMAGE}}, run.path / "dissect")
    assert list(worst_inputs_file.load(run)) == ["litert/x"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a zip file"),
        (b"no archive", "not a zip file"),
        (npz(**{"t/x": IMAGE})[:-30], "not a zip file"),
        (npz(x=IMAGE), "'x' is not an input of a runtime"),
        (npz(**{"t/": IMAGE}), "not an input of a runtime"),
        (npz(**{"t/x": np.zeros(3)}), "is not one sample"),
        (npz(**{"t/x": np.float32(1)}), "is not one sample"),
        (npz(**{"t/x": np.array([None])}), "Object arrays cannot be loaded"),
        (npz(**{"t/x": np.array(["text"])}), "is not an array of numbers"),
        (zip_bytes({"t/x": b"no array"}), "is not an array of numbers"),
        (zip_bytes({"t/x.npy": b"\x93NUMPY"}), "cannot be read"),
        (zip_bytes({"t/x": b""}, zipfile.ZIP_LZMA), "deflated"),
        (npz_claiming((1, 10**15)), "cannot be read"),
    ],
)
def test_a_damaged_file_is_one_clear_error(run, content, message):
    (run.path / "dissect/worst_inputs.npz").write_bytes(content)
    with pytest.raises(RunError, match=r"worst_inputs\.npz cannot be read") as caught:
        worst_inputs_file.load(run)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "convnet_core dissect --run" in caught.value.hint


def test_a_zip_bomb_is_refused_before_unpacking(run, monkeypatch):
    monkeypatch.setattr(np, "load", None)
    (run.path / "dissect/worst_inputs.npz").write_bytes(seeds.npz_bombs()[0])
    with pytest.raises(RunError, match="it unpacks to"):
        worst_inputs_file.load(run)


def test_a_missing_file_or_a_link_is_named(run, tmp_path):
    replace_with_link(run, "dissect/worst_inputs.npz", tmp_path)
    with pytest.raises(RunError, match=r"worst_inputs\.npz leads out of the run's folder"):
        worst_inputs_file.load(run)
    (run.path / "dissect/worst_inputs.npz").unlink()
    with pytest.raises(RunError, match=r"worst_inputs\.npz is missing"):
        worst_inputs_file.load(run)
