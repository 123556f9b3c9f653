"""IDX files and the download, against a server on this machine."""

import errno
import gzip
import http.server
import shutil
import struct
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from convnet_core import data
from convnet_core.cli.resolve import absolute
from convnet_core.config import DataConfig
from convnet_core.data import mnist
from convnet_core.errors import DataError, Stopped
from convnet_core.events import Monitor, Progress

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx(array, magic=None):
    header = bytes([0, 0, 8, array.ndim]) if magic is None else magic
    return header + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes()


def write_folder(folder, rng, train=30, test=20, zipped=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in (("train", train), ("t10k", test)):
        files = {
            f"{name}-images-idx3-ubyte": idx(rng.integers(0, 256, (count, 28, 28), np.uint8)),
            f"{name}-labels-idx1-ubyte": idx(rng.integers(0, 10, count, np.uint8)),
        }
        for file, content in files.items():
            if zipped:
                (folder / f"{file}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / file).write_bytes(content)
    return folder


@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_of_idx_files_is_read(tmp_path, rng, zipped):
    folder = write_folder(tmp_path / "idx", rng, zipped=zipped)
    digits = data.load(DataConfig(source=str(folder)))
    assert digits.train.images.shape == (30, 28, 28)
    expected = np.random.default_rng(0)
    np.testing.assert_array_equal(digits.train.images, expected.integers(0, 256, (30, 28, 28), np.uint8))
    np.testing.assert_array_equal(digits.train.labels, expected.integers(0, 10, 30, np.uint8))
    assert len(digits.test) == 20


def test_the_real_mnist_is_read(mnist_dir):
    digits = data.load(DataConfig(source="mnist", folder=str(mnist_dir)))
    assert (digits.train.images.shape, digits.test.images.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert digits.train.labels[:5].tolist() == [5, 0, 4, 1, 9]


def test_the_first_n_images(tmp_path, rng):
    folder = write_folder(tmp_path / "idx", rng)
    digits = data.load(DataConfig(source=str(folder), train_size=7, test_size=3))
    assert (len(digits.train), len(digits.test)) == (7, 3)


GOOD = np.zeros((30, 28, 28), np.uint8)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        (IMAGES, idx(GOOD, b"\0\0\x0d\3"), "wrong magic number 00000d03, expected 00000803"),
        (IMAGES, b"", "wrong magic number"),
        (IMAGES, idx(GOOD)[:10], "truncated in its header"),
        (IMAGES, idx(GOOD)[:-1], "truncated, 23519 bytes of data instead of 23520"),
        (IMAGES, idx(GOOD) + b"x", "more data than its header says"),
        (IMAGES, idx(np.zeros((30, 27, 28), np.uint8)), "27 × 28, not 28 × 28"),
        (IMAGES, b"\0\0\x08\3" + struct.pack(">3i", 2**31 - 1, 28, 28), "claims 2147483647 images"),
        (LABELS, idx(np.zeros(29, np.uint8)), "29 labels for 30 images"),
        (LABELS, idx(np.full(30, 10, np.uint8)), "label 10 at position 0; labels are 0 to 9"),
        (IMAGES + ".gz", b"not gzip", "not a gzip file"),
        (IMAGES + ".gz", gzip.compress(idx(GOOD), mtime=0)[:-20], "truncated or damaged gzip|not a gzip file"),
        (LABELS, None, "missing"),
    ],
)
def test_bad_files_are_named_with_their_fault(tmp_path, rng, file, content, says):
    folder = write_folder(tmp_path / "idx", rng)
    (folder / file.removesuffix(".gz")).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        data.load(DataConfig(source=str(folder)))
    assert file in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truncated_anywhere_it_is_an_error(tmp_path, rng):
    content = gzip.compress(idx(np.arange(50, dtype=np.uint8) % 10))
    for end in range(len(content)):
        path = tmp_path / "cut.gz"
        path.write_bytes(content[:end])
        with pytest.raises(DataError):
            mnist.read_idx(path)


def test_a_damaged_file_gives_no_count_and_no_fault(tmp_path, rng):
    path = write_folder(tmp_path, rng, zipped=True) / f"{IMAGES}.gz"
    content = bytearray(path.read_bytes())
    content[10:14] = b"\xff" * 4  # a kind of block that deflate does not have
    path.write_bytes(content)
    config = DataConfig(source=str(tmp_path))
    assert data.train_count(config) == data.STROKES_SIZES[0]
    with pytest.raises(DataError, match=f"{IMAGES}.gz: truncated or damaged gzip data"):
        data.load(config)


def test_a_name_that_is_too_long(tmp_path):
    long = str(tmp_path / ("x" * 300))
    assert data.train_count(DataConfig(source=long)) == data.STROKES_SIZES[0]
    for config in (DataConfig(source=long), DataConfig(source="mnist", folder=long)):
        for reads in (data.load, data.stamp):
            with pytest.raises(DataError, match="cannot be read: File name too long"):
                reads(config)


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    def refused(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refused)  # root may read every folder
    (tmp_path / IMAGES).touch()
    assert mnist.train_count(tmp_path) is None
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        data.load(DataConfig(source=str(tmp_path)))


@pytest.mark.parametrize("name", ["~nobodyhere/digits", "a\0b"])
def test_a_name_of_no_place_is_no_folder(name):
    config = absolute(DataConfig(source=name))
    assert data.train_count(config) == data.STROKES_SIZES[0]
    with pytest.raises(DataError, match="is not a folder"):
        data.load(config)


def test_a_folder_that_is_not_there():
    with pytest.raises(DataError, match="is not a folder"):
        data.load(DataConfig(source="/nonexistent"))


# -- the download -----------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path, rng, monkeypatch):
    """A mirror on loopback; `behave` maps a file's name to how its next requests go wrong."""
    from torchvision.datasets import MNIST

    folder = write_folder(tmp_path / "mirror", rng, zipped=True)
    behave: dict[str, list[str]] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.rsplit("/", 1)[-1]
            content = (folder / name).read_bytes()
            mood = behave.get(name, []) and behave[name].pop(0)
            if mood == "missing":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if mood == "slow":
                for start in range(0, len(content), 4096):
                    self.wfile.write(content[start : start + 4096])
                    time.sleep(0.05)
                return
            if mood == "silent":
                self.wfile.write(content[:9])
                time.sleep(2)
                return
            self.wfile.write(
                content[: len(content) // 2]
                if mood == "cut"
                else content[:-9] + b"corrupted"
                if mood == "corrupt"
                else content
            )

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        import hashlib

        resources = [(path.name, hashlib.md5(path.read_bytes()).hexdigest()) for path in sorted(folder.iterdir())]
        monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{httpd.server_port}/"])
        monkeypatch.setattr(MNIST, "resources", resources)
        yield behave
        httpd.shutdown()


class Listener(Monitor):
    def __init__(self):
        self.events = []

    def emit(self, event):
        self.events.append(event)


def load(folder, listener=None):
    return data.load(DataConfig(source="mnist", folder=str(folder)), listener)


def test_download_with_progress_once(tmp_path, server):
    listener = Listener()
    assert len(load(tmp_path / "here", listener).train) == 30
    assert {event.label for event in listener.events if isinstance(event, Progress)} >= {f"downloading {IMAGES}.gz"}
    server[f"{IMAGES}.gz"] = ["missing"] * 9
    assert len(load(tmp_path / "here").train) == 30  # from the folder now


@pytest.mark.parametrize("mood", ["missing", "cut", "corrupt"])
def test_a_broken_download_leaves_nothing_and_can_be_repeated(tmp_path, server, mood):
    server[f"{LABELS}.gz"] = [mood]
    with pytest.raises(DataError, match="cannot be downloaded") as caught:
        load(tmp_path / "here")
    assert "--data strokes" in caught.value.hint
    assert "--data-dir" in caught.value.hint
    assert not list((tmp_path / "here").rglob("*ubyte*"))
    assert len(load(tmp_path / "here").train) == 30


def test_a_slow_mirror_is_waited_for_and_its_files_are_whole(tmp_path, server):
    server[f"{IMAGES}.gz"] = ["slow"]
    assert len(load(tmp_path / "here").train) == 30


def test_a_mirror_that_falls_silent_is_given_up(tmp_path, server, monkeypatch):
    monkeypatch.setattr(mnist, "_TIMEOUT", 0.3)
    server[f"{IMAGES}.gz"] = ["silent"]
    with pytest.raises(DataError, match="cannot be downloaded"):
        load(tmp_path / "here")
    assert not list((tmp_path / "here").rglob("*ubyte*"))


def test_a_stop_in_the_middle_of_a_slow_download_leaves_nothing(tmp_path, server):
    class Impatient(Listener):
        def stopping(self):
            return bool(self.events)

    server[f"{IMAGES}.gz"] = ["slow"]
    with pytest.raises(Stopped):
        load(tmp_path / "here", Impatient())
    assert not list((tmp_path / "here").rglob("*ubyte*"))


def test_the_second_mirror_helps_out(tmp_path, server, monkeypatch):
    from torchvision.datasets import MNIST

    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/", *MNIST.mirrors])
    assert len(load(tmp_path / "here").train) == 30


def test_two_downloads_at_once(tmp_path, server):
    results = []
    threads = [threading.Thread(target=lambda: results.append(load(tmp_path / "here"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(digits.train) for digits in results] == [30, 30]
    assert results[0].fingerprint == results[1].fingerprint


def test_what_a_killed_download_left_is_cleared(tmp_path, server):
    leftover = tmp_path / "here/MNIST/raw.new-aa"
    leftover.mkdir(parents=True)
    (leftover / f"{IMAGES}.gz").write_bytes(b"half")
    load(tmp_path / "here")
    assert [path.name for path in Path(tmp_path / "here/MNIST").iterdir()] == ["raw"]


def test_torchvision_reads_the_folder_too(tmp_path, server):
    from torchvision.datasets import MNIST

    ours = load(tmp_path / "here")
    for path in (tmp_path / "here/MNIST/raw").glob("*.gz"):
        with gzip.open(path) as source, path.with_suffix("").open("wb") as target:
            shutil.copyfileobj(source, target)
    theirs = MNIST(tmp_path / "here", train=True)
    np.testing.assert_array_equal(ours.train.images, theirs.data.numpy())
    np.testing.assert_array_equal(ours.train.labels, theirs.targets.numpy())


def test_without_a_network_both_ways_out_are_named(tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(DataError) as caught:
        load(tmp_path / "here")
    assert "--data strokes" in caught.value.hint
    assert "--data-dir" in caught.value.hint
