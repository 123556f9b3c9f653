"""The artefacts of a run: what it made that other programs load, read off the records of its stages.

Light: nothing here imports onnx or TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from convnet_core.convert.targets.table import TARGETS, Format
from convnet_core.errors import ConfigError
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CONVERT_STAGES

Kind = Format | Literal["weights", "onnx", "description"]

_KNOWN: dict[str, tuple[Kind, str, str]] = {
    "model.safetensors": ("weights", "PyTorch weights", "the trained weights, as the export read them"),
    "model.onnx": ("onnx", "ONNX", "the exported network, which every other artefact was made from"),
    "model.data": ("description", "ONNX weights", "those of model.onnx, which would be too large for one file"),
    **{target.file: (target.format, target.title, target.about) for target in TARGETS},
    "signature.json": ("description", "Signature", "inputs and outputs: names, dtypes and shapes, in ONNX and here"),
    "nodes.json": ("description", "Nodes", "which TensorFlow ops each ONNX node became"),
}


@dataclass(frozen=True)
class Artefact:
    """A file, or a folder of files, that a stage made. `files` are paths inside the run."""

    stage: str
    name: str
    kind: Kind
    title: str
    about: str
    files: tuple[str, ...]
    bytes: int

    @property
    def path(self) -> str:
        """Its path inside the run."""
        return f"{self.stage}/{self.name}"

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of files."""
        return self.files != (self.path,)


def artefacts(run: Run) -> list[Artefact]:
    """What the export and the converters have recorded. Raises RunError where a record is damaged."""
    found = []
    for stage in ("export", *CONVERT_STAGES):
        record = run.record(stage)
        if record is None:
            continue
        for name, (kind, title, about) in _KNOWN.items():
            sizes = {
                f"{stage}/{file}": int(output["bytes"])
                for file, output in record.outputs.items()
                if file == name or file.startswith(f"{name}/")
            }
            if sizes:
                found.append(Artefact(stage, name, kind, title, about, tuple(sizes), sum(sizes.values())))
    return found


def find(run: Run, name: str) -> Artefact:
    """The artefact of a name, or of a path inside the run. Raises ConfigError where there is none, or several."""
    known = artefacts(run)
    found = [item for item in known if name.rstrip("/") in (item.name, item.path)]
    if len(found) != 1:
        which = "has no artefact" if not found else "has more than one artefact"
        hint = f"name one of {', '.join(item.path for item in found or known)}" if known else ""
        raise ConfigError(f"the run {run.name} {which} {name!r}", hint)
    return found[0]


def check(run: Run, artefact: Artefact) -> None:
    """Raises RunError where a file of it is gone, or is a link to what is no part of the run."""
    for name in artefact.files:
        run.file(name, run.command_for(artefact.stage))
