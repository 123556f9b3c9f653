"""One user of the app without a browser: a session over Streamlit's websocket, like that of a browser tab.

Fifty browsers would need more cores than the server under test. This does what a browser does to the server: it
requests pages, sends widget values, requests reruns of repeating fragments, and caches cacheable messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.Slider_pb2 import Slider
from streamlit.proto.WidgetStates_pb2 import WidgetState

from testing.trials.message_cache import MessageCache

SIDE = 280
"""Width and height of the pad, as in convnet_core/data/pen.py."""
_FIRST = "home"  # the page at the empty path
_TIMEOUT = 300.0
_ERROR = 1  # Alert.Format.ERROR, which the compiled protobuf does not export
_EXPECTED_ERRORS = ("Not all runtimes agree", "validation size")
"""Starts of red messages that are correct behavior: a negative verdict, and settings that contradict each other."""

Stroke = Iterable[tuple[float, float]]


@dataclass
class _PageElement:
    """An element on the page, and the fragment that redraws it."""

    element: Element
    fragment: str

    @property
    def body(self) -> Any:
        return getattr(self.element, self.element.WhichOneof("type") or "empty")


@dataclass
class Visitor:
    """A session. Every action returns the seconds from the action to the end of the rerun.

    `errors` are exceptions and red messages that a page showed, and reruns that never ended; `repeats` are the seconds
    of automatic reruns.
    """

    address: str
    errors: list[str] = field(default_factory=list)
    repeats: list[float] = field(default_factory=list)
    page: str = ""

    def __post_init__(self) -> None:
        self._query = ""
        self._drawings = 0
        self._pages: dict[str, str] = {}
        self._elements: dict[tuple[int, ...], _PageElement] = {}
        self._new_elements: dict[tuple[int, ...], _PageElement] = {}
        self._cache = MessageCache()
        self._most_age = 0
        self._fragments: list[str] = []
        self._states: dict[str, WidgetState] = {}
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._rerun_lock = asyncio.Lock()
        self._ended: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Visitor:
        self._socket = await websockets.connect(
            self.address.replace("http", "ws", 1) + "/_stcore/stream",
            subprotocols=[websockets.Subprotocol("streamlit")],
            origin=websockets.Origin(self.address),
            max_size=None,
            compression=None,
            proxy=None,
            ping_interval=None,  # Streamlit pings; a busy visitor must not disconnect
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop(list(self._timers))
        async with self._rerun_lock:  # wait for the rerun in progress
            self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading
        await self._socket.close()

    async def open(self, page: str, run: str = "") -> float:
        """Go to a page. `run` goes into the address, as in a link, and matters for a session's first page."""
        if run:
            self._query = f"run={run}"
        self.page = page
        self._states = {}
        return await self._rerun("", page)

    async def move_slider(self, label: str, value: float | str) -> float:
        """Move a slider to a value, or a select slider to an option's text."""
        shown = self._find("slider", label)
        state = WidgetState(id=shown.body.id)
        if shown.body.type == Slider.SELECT_SLIDER:
            state.string_array_value.data.append(str(value))
        else:
            state.double_array_value.data.append(float(value))
        return await self._change_widget(shown, state)

    def sliders(self) -> dict[str, Slider]:
        """The enabled sliders of the page, by label."""
        elements = [shown for shown in self._elements.values() if shown.element.WhichOneof("type") == "slider"]
        return {shown.body.label: shown.body for shown in elements if not shown.body.disabled}

    async def draw(self, strokes: Iterable[Stroke], pen: int = 18) -> float:
        """Draw on the pad. Strokes are lists of points, as fractions of its width and height."""
        shown = self._find("bidi_component")
        self._drawings += 1
        lines = [{"width": pen, "points": [SIDE * place for point in stroke for place in point]} for stroke in strokes]
        value = {"drawing": {"number": self._drawings, "down": False, "strokes": lines}}
        return await self._change_widget(shown, WidgetState(id=shown.body.id, json_value=json.dumps(value)))

    @property
    def repeating(self) -> bool:
        """Whether the page reruns automatically, as it does while a job runs or runtimes load."""
        return bool(self._timers)

    def _find(self, kind: str, label: str | None = None) -> _PageElement:
        for shown in self._elements.values():
            if shown.element.WhichOneof("type") == kind and label in (None, getattr(shown.body, "label", None)):
                return shown
        raise LookupError(f"no {kind} {label or ''} on the page {self.page}")

    async def _change_widget(self, shown: _PageElement, state: WidgetState) -> float:
        self._states[state.id] = state
        return await self._rerun(shown.fragment)

    async def _rerun(self, fragment: str, page: str = "", *, repeats: bool = False) -> float:
        """Request a rerun and wait for its end, one at a time. Waiting for an automatic rerun counts too."""
        start = time.perf_counter()
        async with self._rerun_lock:
            message = BackMsg()
            request = message.rerun_script
            request.query_string, request.fragment_id, request.is_auto_rerun = self._query, fragment, repeats
            request.context_info.url = f"{self.address}/{self.page}"
            request.widget_states.widgets.extend(self._states.values())
            request.cached_message_hashes.extend(self._cache)
            if page and page not in self._pages:
                request.page_name = "" if page == _FIRST else page
            else:
                request.page_script_hash = self._pages.get(page or self.page, "")
            self._ended = asyncio.get_running_loop().create_future()
            try:
                await self._socket.send(message.SerializeToString())
                async with asyncio.timeout(_TIMEOUT):
                    await self._ended
            except (TimeoutError, websockets.ConnectionClosed) as error:
                self.errors.append(f"{self.page}: {type(error).__name__} {error}")
                raise
            finally:
                self._ended = None
        return time.perf_counter() - start

    async def _read(self) -> None:
        try:
            async for data in self._socket:
                self._handle(ForwardMsg.FromString(data))
        except websockets.ConnectionClosed:
            pass
        if self._ended and not self._ended.done():
            self._ended.set_exception(ConnectionError("the server hung up"))

    def _handle(self, message: ForwardMsg) -> None:
        metadata = message.metadata
        message = self._cache.resolve(message)
        match message.WhichOneof("type"):
            case "new_session":
                self._new_elements = {}
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
                shown = _PageElement(message.delta.new_element, message.delta.fragment_id)
                self._new_elements[tuple(metadata.delta_path)] = shown
                self._check_for_errors(shown)
            case "auto_rerun":
                self._start_timer(message.auto_rerun.fragment_id, message.auto_rerun.interval)
            case "stop_auto_rerun":
                self._stop(list(message.stop_auto_rerun.fragment_ids))
            case "page_not_found":
                self.errors.append(f"{self.page}: not found")
            case "script_finished" if message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                self._finish_rerun(message.script_finished)

    def _check_for_errors(self, shown: _PageElement) -> None:
        kind, body = shown.element.WhichOneof("type"), shown.body
        if kind == "exception":
            self.errors.append(f"{self.page}: {body.type} {body.message} {' | '.join(body.stack_trace[-2:])}")
        elif kind == "alert" and body.format == _ERROR and not body.body.startswith(_EXPECTED_ERRORS):
            self.errors.append(f"{self.page}: {body.body}")

    def _finish_rerun(self, status: int) -> None:
        if status == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
            redrawn = {shown.fragment for shown in self._new_elements.values()}
            unchanged = {path: shown for path, shown in self._elements.items() if shown.fragment not in redrawn}
            self._elements = unchanged | self._new_elements
        else:
            if status == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                self.errors.append(f"{self.page}: it does not compile")
            self._elements = self._new_elements
        self._cache.age(self._fragments, self._most_age)
        ids = {getattr(shown.body, "id", "") for shown in self._elements.values()}
        self._states = {name: state for name, state in self._states.items() if name in ids}
        if self._ended and not self._ended.done():
            self._ended.set_result(None)

    def _start_timer(self, fragment: str, seconds: float) -> None:
        self._stop([fragment])
        self._timers[fragment] = asyncio.create_task(self._rerun_every(fragment, seconds))

    def _stop(self, fragments: list[str]) -> None:
        for fragment in fragments:
            if task := self._timers.pop(fragment, None):
                task.cancel()

    async def _rerun_every(self, fragment: str, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            if not self._rerun_lock.locked():
                # Shielded: wait for a requested rerun even if its timer is canceled.
                with contextlib.suppress(TimeoutError, OSError, websockets.ConnectionClosed):
                    self.repeats.append(await asyncio.shield(self._rerun(fragment, repeats=True)))
