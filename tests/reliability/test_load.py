"""A few people before one server while a network trains: nothing fails, and nothing is left when they have gone.

`make soak` tries it with fifty of them, and asks how long they wait and whether the server's memory grows.
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
    def demo(folder):
        shutil.copytree(finished_run.path, folder)
        run_dissect(Run.open(folder), DissectConfig(steps=1, images=50), Monitor())

    errors, *_, leftovers = load.trial(15, visitors=5, demo=demo)
    assert errors.ok, errors.found
    assert leftovers.ok, leftovers.found


def test_an_error_of_the_app_is_seen_with_its_stack_trace(tmp_path):
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


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_server_listens_on_this_machine_alone_and_holds_no_packets_back(tmp_path):
    with Server(tmp_path) as server:
        process = Path(f"/proc/{server.process.pid}")
        loaded = (process / "maps").read_text()
        sockets = [line.split() for name in ("tcp", "tcp6") for line in (process / "net" / name).open()]
    listening = [address for _, address, _, state, *_ in sockets if state == "0A"]
    port = f":{server.port:04X}"
    assert [address for address in listening if address.endswith(port)] == [f"0100007F{port}"]
    assert "/uvloop/" in loaded
    assert "/httptools/" in loaded


def test_a_rerun_leaves_it_to_python_when_to_collect_garbage(tmp_path):
    asked, app = tmp_path / "asked", tmp_path / "app.py"
    app.write_text(f"import gc, pathlib\ngc.collect = lambda *_: pathlib.Path({str(asked)!r}).touch()\n")

    async def visit(server):
        async with Visitor(server.address) as visitor:
            for _ in range(2):
                await visitor.open("home")

    with Server(tmp_path, app) as server:
        asyncio.run(visit(server))
        time.sleep(0.5)  # Streamlit would collect after the rerun's end
    assert not asked.exists()


def kept(name, fragment=""):
    message = ForwardMsg(hash=name)
    message.metadata.cacheable = True
    message.delta.fragment_id = fragment
    return message


def test_a_visitor_forgets_messages_as_a_browser_does():
    cache, large, part = MessageCache(), kept("large"), kept("part", "a fragment")
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
    assert list(cache) == ["large"], "the others are no part of what was drawn"
    cache.age([], 2)
    assert not list(cache)


def test_slope_of_what_grows_and_of_what_does_not(rng):
    seconds = [float(second) for second in range(600)]
    noise = rng.normal(500, 3, 600)
    gradient, error = load.slope(seconds, list(noise))
    assert abs(gradient) < 3 * error
    gradient, error = load.slope(seconds, [value + second / 10 for second, value in zip(seconds, noise, strict=True)])
    assert gradient == pytest.approx(6, abs=3 * error)
    assert gradient > 2 * error
