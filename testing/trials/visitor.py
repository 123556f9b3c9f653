"""One person before the app, without a browser: a session over Streamlit's websocket, as the browser's page holds it.

Fifty browsers would need more cores than the server that they try. What a browser does to the server is here: it asks
for a page, tells the widgets' values, asks for the fragments that repeat, and keeps the messages that may be cached.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import websockets
from PIL import Image, ImageDraw
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.Slider_pb2 import Slider
from streamlit.proto.WidgetStates_pb2 import WidgetState

from testing.trials.message_cache import MessageCache

SIDE = 280
"""Of the pad, in pixels; as in pages/components/drawing_pad.py."""
_FIRST = "home"  # the page without a name in the address
_PATIENCE = 300.0
_ERROR = 1  # Alert.Format, which the compiled file does not name
_NO_FAULTS = ("Not all runtimes agree", "validation size")
"""How red messages begin that are no fault of the page: a verdict, and settings that do not fit together."""

Stroke = Iterable[tuple[float, float]]


@dataclass
class _Shown:
    """An element on the page, and the fragment that draws it anew."""

    element: Element
    fragment: str

    @property
    def body(self) -> Any:
        return getattr(self.element, self.element.WhichOneof("type") or "empty")


@dataclass
class Visitor:
    """A session. Every action gives the seconds from the person's act to the end of the rerun.

    `errors` are exceptions and red messages that a page showed, and reruns that never ended; `repeats` the seconds of
    reruns that a page asked for by itself.
    """

    address: str
    errors: list[str] = field(default_factory=list)
    repeats: list[float] = field(default_factory=list)
    page: str = ""

    def __post_init__(self) -> None:
        self._query = ""
        self._pages: dict[str, str] = {}
        self._shown: dict[tuple[int, ...], _Shown] = {}
        self._fresh: dict[tuple[int, ...], _Shown] = {}
        self._cached = MessageCache()
        self._most_age = 0
        self._fragments: list[str] = []
        self._states: dict[str, WidgetState] = {}
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._one = asyncio.Lock()
        self._ended: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Visitor:
        self._socket = await websockets.connect(
            self.address.replace("http", "ws", 1) + "/_stcore/stream",
            subprotocols=[websockets.Subprotocol("streamlit")],
            origin=websockets.Origin(self.address),
            max_size=None,
            compression=None,
            proxy=None,
            ping_interval=None,  # Streamlit pings; a visitor whose process is busy must not hang up
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop(list(self._timers))
        async with self._one:  # what was asked for has come
            self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading
        await self._socket.close()

    async def open(self, page: str, run: str = "") -> float:
        """Go to a page; `run` is in the address, as in a link, and counts for a session's first page."""
        if run:
            self._query = f"run={run}"
        self.page = page
        self._states = {}
        return await self._rerun("", page)

    async def move_slider(self, label: str, value: float | str) -> float:
        """Put a slider at a value; one of steps at the text of a step."""
        shown = self._find("slider", label)
        state = WidgetState(id=shown.body.id)
        if shown.body.type == Slider.SELECT_SLIDER:
            state.string_array_value.data.append(str(value))
        else:
            state.double_array_value.data.append(float(value))
        return await self._tell(shown, state)

    def sliders(self) -> dict[str, Slider]:
        """The sliders of the page by label."""
        found = [shown for shown in self._shown.values() if shown.element.WhichOneof("type") == "slider"]
        return {shown.body.label: shown.body for shown in found if not shown.body.disabled}

    async def draw(self, strokes: Iterable[Stroke], pen: int = 18) -> float:
        """Draw on the pad; strokes are points from 0 to 1 of its width and height."""
        shown = self._find("bidi_component")
        drawing = {"drawing": _drawn(strokes, pen), "backgroundFit": None}
        return await self._tell(shown, WidgetState(id=shown.body.id, json_value=json.dumps(drawing)))

    @property
    def repeating(self) -> bool:
        """Whether the page asks for reruns by itself, as while a job is at work or runtimes load."""
        return bool(self._timers)

    def _find(self, kind: str, label: str | None = None) -> _Shown:
        for shown in self._shown.values():
            if shown.element.WhichOneof("type") == kind and label in (None, getattr(shown.body, "label", None)):
                return shown
        raise LookupError(f"no {kind} {label or ''} on the page {self.page}")

    async def _tell(self, shown: _Shown, state: WidgetState) -> float:
        self._states[state.id] = state
        return await self._rerun(shown.fragment)

    async def _rerun(self, fragment: str, page: str = "", *, repeats: bool = False) -> float:
        """Ask for a rerun and wait for its end, one at a time: a person's waiting for a repeat counts as waiting."""
        began = time.perf_counter()
        async with self._one:
            message = BackMsg()
            wanted = message.rerun_script
            wanted.query_string, wanted.fragment_id, wanted.is_auto_rerun = self._query, fragment, repeats
            wanted.context_info.url = f"{self.address}/{self.page}"
            wanted.widget_states.widgets.extend(self._states.values())
            wanted.cached_message_hashes.extend(self._cached)
            if page and page not in self._pages:
                wanted.page_name = "" if page == _FIRST else page
            else:
                wanted.page_script_hash = self._pages.get(page or self.page, "")
            self._ended = asyncio.get_running_loop().create_future()
            try:
                await self._socket.send(message.SerializeToString())
                async with asyncio.timeout(_PATIENCE):
                    await self._ended
            except (TimeoutError, websockets.ConnectionClosed) as error:
                self.errors.append(f"{self.page}: {type(error).__name__} {error}")
                raise
            finally:
                self._ended = None
        return time.perf_counter() - began

    async def _read(self) -> None:
        try:
            async for data in self._socket:
                self._take(ForwardMsg.FromString(data))
        except websockets.ConnectionClosed:
            pass
        if self._ended and not self._ended.done():
            self._ended.set_exception(ConnectionError("the server hung up"))

    def _take(self, message: ForwardMsg) -> None:
        metadata = message.metadata
        message = self._cached.whole(message)
        match message.WhichOneof("type"):
            case "new_session":
                self._fresh = {}
                self._fragments = list(metadata.run.fragment_ids)
                self._most_age = message.new_session.config.max_cached_message_age or self._most_age
                if not self._fragments:
                    self._stop(list(self._timers))
            case "navigation":
                pages = [page for page in message.navigation.app_pages if not page.is_hidden]
                self._pages = {
                    page.url_pathname or _FIRST: page.page_script_hash for page in pages if not page.is_hidden
                }
            case "page_info_changed":
                self._query = message.page_info_changed.query_string
            case "delta" if message.delta.WhichOneof("type") == "new_element":
                shown = _Shown(message.delta.new_element, message.delta.fragment_id)
                self._fresh[tuple(metadata.delta_path)] = shown
                self._look_at(shown)
            case "auto_rerun":
                self._repeat(message.auto_rerun.fragment_id, message.auto_rerun.interval)
            case "stop_auto_rerun":
                self._stop(list(message.stop_auto_rerun.fragment_ids))
            case "page_not_found":
                self.errors.append(f"{self.page}: not found")
            case "script_finished" if message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                self._settle(message.script_finished)

    def _look_at(self, shown: _Shown) -> None:
        kind, body = shown.element.WhichOneof("type"), shown.body
        if kind == "exception":
            self.errors.append(f"{self.page}: {body.type} {body.message} {' | '.join(body.stack_trace[-2:])}")
        elif kind == "alert" and body.format == _ERROR and not body.body.startswith(_NO_FAULTS):
            self.errors.append(f"{self.page}: {body.body}")

    def _settle(self, status: int) -> None:
        if status == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
            drawn = {shown.fragment for shown in self._fresh.values()}
            kept = {path: shown for path, shown in self._shown.items() if shown.fragment not in drawn}
            self._shown = kept | self._fresh
        else:
            if status == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                self.errors.append(f"{self.page}: it does not compile")
            self._shown = self._fresh
        self._cached.age(self._fragments, self._most_age)
        ids = {getattr(shown.body, "id", "") for shown in self._shown.values()}
        self._states = {name: state for name, state in self._states.items() if name in ids}
        if self._ended and not self._ended.done():
            self._ended.set_result(None)

    def _repeat(self, fragment: str, seconds: float) -> None:
        self._stop([fragment])
        self._timers[fragment] = asyncio.create_task(self._ask_each(fragment, seconds))

    def _stop(self, fragments: list[str]) -> None:
        for fragment in fragments:
            if task := self._timers.pop(fragment, None):
                task.cancel()

    async def _ask_each(self, fragment: str, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            if not self._one.locked():
                # Shielded: a repeat that has been asked for is waited for, whatever becomes of its timer.
                with contextlib.suppress(TimeoutError, OSError, websockets.ConnectionClosed):
                    self.repeats.append(await asyncio.shield(self._rerun(fragment, repeats=True)))


def _drawn(strokes: Iterable[Stroke], pen: int) -> dict[str, Any]:
    """What the pad tells: the strokes as objects, and the picture as a PNG."""
    picture = Image.new("RGBA", (SIDE, SIDE), "white")
    pencil = ImageDraw.Draw(picture)
    objects = []
    for stroke in strokes:
        points = [(x * SIDE, y * SIDE) for x, y in stroke]
        pencil.line(points, fill="black", width=pen, joint="curve")
        path = [["M" if not place else "L", x, y] for place, (x, y) in enumerate(points)]
        objects.append({"type": "Path", "path": path, "stroke": "#000000", "strokeWidth": pen, "fill": None})
    file = io.BytesIO()
    picture.save(file, "PNG")
    encoded = base64.b64encode(file.getvalue()).decode("ascii")
    return {"raw": {"objects": objects, "background": "#ffffff"}, "data": f"data:image/png;base64,{encoded}"}
