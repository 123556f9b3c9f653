"""Messages between a worker and who uses it: a JSON object and arrays by name, over a pipe, without pickle.

A line of JSON comes first; it says what each array is. The arrays' bytes follow in that order. Strings, which have no
bytes of a fixed length, stand in the JSON itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from convnet_core.tensors.arrays import Array, Feeds

Content = dict[str, Any]
"""What JSON can hold."""
Message = tuple[Content, Feeds]
Tell = Callable[[Content, Feeds], None]
Task = Callable[[Content, Feeds, Tell], Message]


def send(stream: IO[bytes], content: Content, arrays: Feeds) -> None:
    """Write one message."""
    described = [_described(name, array) for name, array in arrays.items()]
    stream.write(json.dumps({"content": content, "arrays": described}).encode() + b"\n")
    for array in arrays.values():
        if not _is_text(array):
            stream.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    stream.flush()


def receive(stream: IO[bytes]) -> Message | None:
    """Read one message; None at the end of the stream, also where it ends within a message."""
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
        if not _filled(stream, array):
            return None
        arrays[item["name"]] = array
    return message["content"], arrays


def _described(name: str, array: Array) -> Content:
    if _is_text(array):
        return {"name": name, "shape": array.shape, "text": [str(item) for item in array.ravel()]}
    return {"name": name, "shape": array.shape, "dtype": array.dtype.name}


def _is_text(array: Array) -> bool:
    return array.dtype.kind in "OU"


def _dtype(name: str) -> np.dtype[Any]:
    import ml_dtypes  # noqa: F401  # gives NumPy bfloat16 and its like by name

    return np.dtype(name)


def _filled(stream: IO[bytes], array: Array) -> bool:
    """Read an array's bytes into it; False where the stream ends before."""
    if not array.size:
        return True
    left = array.reshape(-1).view(np.uint8).data
    while left:
        count = stream.readinto(left)  # type: ignore[attr-defined]
        if not count:
            return False
        left = left[count:]
    return True
