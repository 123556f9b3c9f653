"""Archives that unpack to far more than their size."""

import zipfile

import numpy as np
import pytest
import torch

from convnet_core.common import archives
from convnet_core.errors import DataError, ModelError
from convnet_core.networks.weights import read_weights
from convnet_core.tensors.arrays import TensorInfo
from convnet_core.tensors.model_inputs import read_samples
from testing.trials import seeds

MB = 1_000_000
INPUTS = [TensorInfo("x", "float32", (None, 3))]


def write(path, content):
    path.write_bytes(content)
    return path


def test_a_compressed_archive_may_unpack_up_to_the_limit(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(5 * MB, np.uint8))
    archives.check_archive(tmp_path / "a.npz")
    archives.check_archive(tmp_path / "a.npz", 6 * MB)
    with pytest.raises(ValueError, match=r"unpacks to 5\.0 MB; the limit is 4\.0 MB"):
        archives.check_archive(tmp_path / "a.npz", 4 * MB)


def test_a_large_file_may_unpack_to_its_own_size(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_MAX_BYTES", 1000)
    np.savez(tmp_path / "a.npz", x=np.zeros(MB, np.uint8))
    archives.check_archive(tmp_path / "a.npz")
    np.savez_compressed(tmp_path / "b.npz", x=np.zeros(MB, np.uint8))
    with pytest.raises(ValueError, match="unpacks to"):
        archives.check_archive(tmp_path / "b.npz")


def test_a_false_size_in_the_directory_is_detected(tmp_path):
    path = write(tmp_path / "a.npz", seeds.zip_bomb("x.npy", claimed_size=1 << 16))
    with pytest.raises(ValueError, match="larger than the directory lists"):
        archives.check_archive(path)


def test_other_compression_methods_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("x", bytes(MB))
    with pytest.raises(ValueError, match="neither stored nor deflated"):
        archives.check_archive(tmp_path / "a.npz")


def test_zip_bombs_are_refused_as_samples(tmp_path):
    for content in seeds.npz_bombs()[:2]:
        with pytest.raises(DataError, match=r"cannot be read as .npz: .*(unpacks to 600|larger than)"):
            read_samples(write(tmp_path / "s.npz", content), INPUTS)


def test_zip_bombs_are_refused_as_weights(tmp_path):
    for content in seeds.pth_bombs():
        with pytest.raises(ModelError, match=r"cannot be read as weights|cut off or damaged"):
            read_weights(write(tmp_path / "w.pth", content))


def test_unused_arrays_in_a_samples_file_are_not_read(tmp_path):
    x = np.zeros((2, 3), np.float32)
    np.savez(tmp_path / "s.npz", x=x, other=np.array([{}], object))  # reading this one would fail
    np.testing.assert_array_equal(read_samples(tmp_path / "s.npz", INPUTS)["x"], x)


@pytest.mark.parametrize("zipped", [True, False])
def test_weights_of_both_formats_are_read(tmp_path, zipped):
    torch.save(seeds.WEIGHTS, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    weights = read_weights(tmp_path / "w.pth")
    assert all(torch.equal(weights[name], value) for name, value in seeds.WEIGHTS.items())
