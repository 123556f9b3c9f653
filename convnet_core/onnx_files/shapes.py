"""Shapes as ONNX has them. Imports no onnx, so that whoever shows a graph need not."""

from __future__ import annotations

Dimension = int | str | None
"""A size, the name of one (`batch`), or None where nothing is known."""

Shape = tuple[Dimension, ...]
