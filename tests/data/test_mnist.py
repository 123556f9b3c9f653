"""The MNIST download, from a server on this machine."""

import gzip
import http.server
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from convnet_core.config.stages import DataConfig
from convnet_core.data import digits as data
from convnet_core.data import mnist
from convnet_core.errors import DataError, Stopped
from convnet_core.events import Monitor, Progress
from tests.support.idx_files import IMAGES, LABELS, write_folder


@pytest.fixture
def server(tmp_path, rng, monkeypatch):
    """A local mirror; yields a dictionary from a file's name to the faults of its next requests."""
    from torchvision.datasets import MNIST

    folder = write_folder(tmp_path / "mirror", rng, zipped=True)
    faults: dict[str, list[str]] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.rsplit("/", 1)[-1]
            content = (folder / name).read_bytes()
            fault = faults.get(name, []) and faults[name].pop(0)
            if fault == "missing":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if fault == "slow":
                for start in range(0, len(content), 4096):
                    self.wfile.write(content[start : start + 4096])
                    time.sleep(0.05)
                return
            if fault == "silent":
                self.wfile.write(content[:9])
                time.sleep(2)
                return
            self.wfile.write(
                content[: len(content) // 2]
                if fault == "cut"
                else content[:-9] + b"corrupted"
                if fault == "corrupt"
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
        yield faults
        httpd.shutdown()


class Listener(Monitor):
    def __init__(self):
        self.events = []

    def emit(self, event):
        self.events.append(event)


def load(folder, listener=None):
    return data.load(DataConfig(source="mnist", folder=str(folder)), listener)


def test_a_download_reports_progress_and_happens_once(tmp_path, server):
    listener = Listener()
    assert len(load(tmp_path / "here", listener).train) == 30
    assert {event.label for event in listener.events if isinstance(event, Progress)} >= {f"downloading {IMAGES}.gz"}
    server[f"{IMAGES}.gz"] = ["missing"] * 9
    assert len(load(tmp_path / "here").train) == 30  # read from the folder


@pytest.mark.parametrize("fault", ["missing", "cut", "corrupt"])
def test_a_broken_download_leaves_no_files_and_can_be_repeated(tmp_path, server, fault):
    server[f"{LABELS}.gz"] = [fault]
    with pytest.raises(DataError, match="cannot be downloaded") as caught:
        load(tmp_path / "here")
    assert "--data strokes" in caught.value.hint
    assert "--data-dir" in caught.value.hint
    assert not list((tmp_path / "here").rglob("*ubyte*"))
    assert len(load(tmp_path / "here").train) == 30


def test_a_slow_download_is_complete(tmp_path, server):
    server[f"{IMAGES}.gz"] = ["slow"]
    assert len(load(tmp_path / "here").train) == 30


def test_a_mirror_that_stops_sending_times_out(tmp_path, server, monkeypatch):
    monkeypatch.setattr(mnist, "_TIMEOUT", 0.3)
    server[f"{IMAGES}.gz"] = ["silent"]
    with pytest.raises(DataError, match="cannot be downloaded"):
        load(tmp_path / "here")
    assert not list((tmp_path / "here").rglob("*ubyte*"))


def test_stopping_a_slow_download_leaves_no_files(tmp_path, server):
    class Impatient(Listener):
        def stop_requested(self):
            return bool(self.events)

    server[f"{IMAGES}.gz"] = ["slow"]
    with pytest.raises(Stopped):
        load(tmp_path / "here", Impatient())
    assert not list((tmp_path / "here").rglob("*ubyte*"))


def test_the_second_mirror_is_tried(tmp_path, server, monkeypatch):
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


def test_leftovers_of_a_killed_download_are_removed(tmp_path, server):
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


def test_without_a_network_the_hint_names_both_alternatives(tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(DataError) as caught:
        load(tmp_path / "here")
    assert "--data strokes" in caught.value.hint
    assert "--data-dir" in caught.value.hint
