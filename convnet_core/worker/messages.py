"""Messages between a worker and its client: a JSON object and named arrays, sent over a pipe without pickle.

A message starts with a line of JSON, which describes the arrays. The bytes of the arrays follow in the same order.
String arrays, whose items have no fixed length, are part of the JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from convnet_core.events import Event, Monitor
from convnet_core.tensors.arrays import Array, Feeds

Content = dict[str, Any]
"""A JSON object."""
Message = tuple[Content, Feeds]
Notify = Callable[[Content, Feeds], None]
"""Sends a note from a running task to the client."""
Task = Callable[[Content, Feeds, Notify], Message]


class Relay(Monitor):
    """Sends the events of a task to its client."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify

    def emit(self, event: Event) -> None:
        self._notify(event.to_json(), {})


def send(stream: IO[bytes], content: Content, arrays: Feeds) -> None:
    """Write one message."""
    descriptions = [_describe(name, array) for name, array in arrays.items()]
    stream.write(json.dumps({"content": content, "arrays": descriptions}).encode() + b"\n")
    for array in arrays.values():
        if not _is_text(array):
            stream.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    stream.flush()


def receive(stream: IO[bytes]) -> Message | None:
    """Read one message; None at the end of the stream, even if it ends within a message."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    message = json.loads(line)
    arrays: Feeds = {}
    for item in message["arrays"]:
        if "text" in item:
            arrays[item["name"]] = np.array(item["text"], object).reshape(item["shape"])
            continue
        array = np.empty(item["shape"], _dtype(item["dtype"]))
        if not _read_into(stream, array):
            return None
        arrays[item["name"]] = array
    return message["content"], arrays


def _describe(name: str, array: Array) -> Content:
    if _is_text(array):
        return {"name": name, "shape": array.shape, "text": [str(item) for item in array.ravel()]}
    return {"name": name, "shape": array.shape, "dtype": array.dtype.name}


def _is_text(array: Array) -> bool:
    return array.dtype.kind in "OU"


def _dtype(name: str) -> np.dtype[Any]:
    import ml_dtypes  # noqa: F401  # registers bfloat16 and similar dtypes with NumPy

    return np.dtype(name)


def _read_into(stream: IO[bytes], array: Array) -> bool:
    """Fill an array from the stream; False if the stream ends too early."""
    if not array.size:
        return True
    rest = array.reshape(-1).view(np.uint8).data
    while rest:
        count = stream.readinto(rest)  # type: ignore[attr-defined]
        if not count:
            return False
        rest = rest[count:]
    return True
