"""The names of the folders in a run."""

from __future__ import annotations

PIPELINE = ("train", "export", "convert/native", "compare")
"""The stages of the pipeline in order, each named after its folder in the run."""

CONVERT_STAGES = ("convert/native", "convert/onnx-tf")
"""One stage per converter; the pipeline uses the first."""

STAGES = ("train", "export", *CONVERT_STAGES, "compare")
"""All stages in order."""

LESSON_STAGES = "lessons"
"""Folder with the dissections of lessons, each a stage `lessons/<name>`."""

CHECKPOINT = "checkpoint"
"""Folder with the checkpoint of a running or stopped training."""

FORK = "fork"
"""Folder with what a forked training starts from: the state and the curve of the training of another run."""

UPLOAD = "upload"
"""Folder with an uploaded file until it is accepted or rejected."""

ABSENT = "absent"
"""Recorded in place of the digest of an optional input whose stage was missing."""
