"""The folders in a run, each of which belongs to a stage."""

from __future__ import annotations

PIPELINE = ("train", "export", "convert/native", "compare")
"""The stages that a whole run has, in their order, each named by its folder in the run."""


CONVERT_STAGES = ("convert/native", "convert/onnx-tf")
"""One for each converter; the first is the pipeline's."""


STAGES = ("train", "export", *CONVERT_STAGES, "compare")
"""All stages, in their order."""


LESSON_STAGES = "lessons"
"""The folder of a run with the dissection of each lesson, a stage of its own: `lessons/<name>`."""


CHECKPOINT = "checkpoint"
"""The folder of a run where a training that was stopped, or is at work, keeps what it goes on from."""


UPLOAD = "upload"
"""The folder of a run where an uploaded file lies until it is accepted or refused."""


ABSENT = "absent"
"""Stands for the digest of a stage that was not there, in the inputs of one that would have used it."""
