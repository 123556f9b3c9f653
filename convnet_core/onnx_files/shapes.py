"""Types for ONNX shapes. Does not import onnx, so that drawing a graph does not need it."""

from __future__ import annotations

Dimension = int | str | None
"""A size, a name such as `batch`, or None if unknown."""

Shape = tuple[Dimension, ...]
