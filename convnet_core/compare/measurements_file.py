"""Measurements of a comparison on disk, to judge them again without running anything."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convnet_core.common.archives import check_archive
from convnet_core.compare.differences import Key, Measurement
from convnet_core.errors import RunError
from convnet_core.language import _

_PLAIN = ("fault", "precision", "moved", "not_finite")
_ARRAYS = ("max_abs", "scale", "answers", "expected", "truth")
_MOST_LINES = 4 << 20  # bytes of JSON, for some 20,000 measurements; as objects they take up to 30 times as much


def save(measurements: Sequence[Measurement], path: Path) -> None:
    """Write one .npz file."""
    lines, arrays = pack(measurements)
    np.savez_compressed(path, **arrays, lines=np.frombuffer(json.dumps(lines).encode(), np.uint8))


def pack(measurements: Sequence[Measurement]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Measurements as JSON and arrays. An array that several share, such as the truth, is stored once."""
    arrays: dict[str, Any] = {}
    names: dict[bytes, str] = {}
    lines = []
    for item in measurements:
        line: dict[str, Any] = {"key": dataclasses.asdict(item.key)}
        line |= {field: getattr(item, field) for field in _PLAIN}
        line["mean_abs"] = item.mean_abs if np.isfinite(item.mean_abs) else None
        for field in _ARRAYS:
            value = getattr(item, field)
            if value is None:
                continue
            plain = value.astype(np.int32) if value.dtype.kind == "i" else value
            content = plain.dtype.str.encode() + plain.tobytes()
            name = names.setdefault(content, f"array{len(names)}")
            arrays[name], line[field] = plain, name
        lines.append(line)
    return lines, arrays


def unpack(lines: list[dict[str, Any]], arrays: dict[str, Any]) -> list[Measurement]:
    """The inverse of `pack`."""
    return [_to_measurement(line, arrays) for line in lines]


def load(path: Path) -> list[Measurement]:
    """The measurements that `save` wrote. Arrays are read-only because measurements share them.

    Raises RunError if the file is missing or damaged.
    """
    try:
        check_archive(path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        for array in arrays.values():
            array.setflags(write=False)
        if arrays["lines"].nbytes > _MOST_LINES:
            raise ValueError(f"its lines are {arrays['lines'].nbytes / 1e6:,.1f} MB")
        return unpack(json.loads(arrays["lines"].tobytes()), arrays)
    except Exception as error:  # zipfile, NumPy and JSON each raise their own error types
        raise RunError(
            _("{path} cannot be read: {reason}", path=path, reason=error), hint=_("compare again")
        ) from error


def _to_measurement(line: dict[str, Any], arrays: dict[str, Any]) -> Measurement:
    values = {field: arrays[line[field]] for field in _ARRAYS if field in line}
    mean = float("nan") if line["mean_abs"] is None else line["mean_abs"]
    plain = {field: line[field] for field in _PLAIN if field in line}  # earlier versions wrote fewer
    return Measurement(Key(**line["key"]), mean_abs=mean, **plain, **values)
