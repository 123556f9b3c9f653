"""A few visitors use one server while a network trains: nothing fails, and nothing stays behind when they leave.

`make soak` runs this with fifty visitors and also measures their waiting times and the server's memory.
"""

import asyncio
import shutil
import sys
import time
from pathlib import Path

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from convnet_core.config.stages import DissectConfig
from convnet_core.events import Monitor
from convnet_core.runs.run import Run
from convnet_core.stages.dissect import run_dissect
from testing.browser import Server
from testing.trials import load
from testing.trials.message_cache import MessageCache
from testing.trials.visitor import Visitor


@pytest.mark.slow
def test_sessions_see_no_error_and_leave_nothing_behind(finished_run):
    def create_demo(folder):
        shutil.copytree(finished_run.path, folder)
        run_dissect(Run.open(folder), DissectConfig(steps=1, images=50), Monitor())

    errors, *_, leftovers = load.trial(15, visitors=5, demo=create_demo)
    assert errors.ok, errors.found
    assert leftovers.ok, leftovers.found


def test_an_app_error_is_recorded_with_its_stack_trace(tmp_path):
    app = tmp_path / "app.py"
    app.write_text("raise ValueError('of the app')\n")
    errors = []

    async def visit(server):
        async with Visitor(server.address, errors) as visitor:
            await visitor.open("home")

    with Server(tmp_path, app) as server:
        asyncio.run(visit(server))
        (trace,) = server.tracebacks()
    assert "ValueError: of the app" in trace
    assert errors


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_the_server_listens_only_locally_and_uses_uvloop_and_httptools(tmp_path):
    with Server(tmp_path) as server:
        process = Path(f"/proc/{server.process.pid}")
        loaded = (process / "maps").read_text()
        sockets = [
            line.split() for name in ("tcp", "tcp6") for line in (process / "net" / name).read_text().splitlines()
        ]
    listening = [address for _, address, _, state, *_ in sockets if state == "0A"]
    port = f":{server.port:04X}"
    assert [address for address in listening if address.endswith(port)] == [f"0100007F{port}"]
    assert "/uvloop/" in loaded
    assert "/httptools/" in loaded


def test_a_rerun_does_not_force_garbage_collection(tmp_path):
    collected, app = tmp_path / "collected", tmp_path / "app.py"
    app.write_text(f"import gc, pathlib\ngc.collect = lambda *_: pathlib.Path({str(collected)!r}).touch()\n")

    async def visit(server):
        async with Visitor(server.address) as visitor:
            for _ in range(2):
                await visitor.open("home")

    with Server(tmp_path, app) as server:
        asyncio.run(visit(server))
        time.sleep(0.5)  # Streamlit would collect after the rerun
    assert not collected.exists()


def cacheable_message(name, fragment=""):
    message = ForwardMsg(hash=name)
    message.metadata.cacheable = True
    message.delta.fragment_id = fragment
    return message


def test_the_visitor_drops_cached_messages_like_a_browser():
    cache, large, part = MessageCache(), cacheable_message("large"), cacheable_message("part", "a fragment")
    for message in (large, part, ForwardMsg(hash="small")):
        assert cache.resolve(message) is message
    for _ in range(2):
        cache.age([], 2)
    assert list(cache) == ["large", "part"]
    assert cache.resolve(ForwardMsg(ref_hash="large")) is large
    cache.age([], 2)
    assert list(cache) == ["large"]
    cache.resolve(part)
    for _ in range(3):
        cache.age(["a fragment"], 2)
    assert list(cache) == ["large"], "a fragment's rerun only ages that fragment's messages"
    cache.age([], 2)
    assert not list(cache)


def test_slope_detects_growth_and_ignores_noise(rng):
    seconds = [float(second) for second in range(600)]
    noise = rng.normal(500, 3, 600)
    gradient, error = load.slope(seconds, list(noise))
    assert abs(gradient) < 3 * error
    gradient, error = load.slope(seconds, [value + second / 10 for second, value in zip(seconds, noise, strict=True)])
    assert gradient == pytest.approx(6, abs=3 * error)
    assert gradient > 2 * error
