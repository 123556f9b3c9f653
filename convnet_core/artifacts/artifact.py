"""The artifacts of a run: the files it wrote for other programs, as its stage records list them.

Light: nothing here imports onnx or TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from convnet_core.common.formatting import list_words
from convnet_core.convert.targets.table import TARGETS, Format
from convnet_core.errors import ConfigError
from convnet_core.language import N_, _
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CONVERT_STAGES

Kind = Format | Literal["weights", "onnx", "description"]

_DESCRIPTIONS: dict[str, tuple[Kind, str, str]] = {
    "model.safetensors": ("weights", N_("PyTorch weights"), N_("the trained weights that were exported")),
    "model.onnx": ("onnx", "ONNX", N_("the exported network; all other artifacts are converted from it")),
    "model.data": ("description", N_("ONNX weights"), N_("the weights of model.onnx, which is too large for one file")),
    **{target.file: (target.format, target.title, target.about) for target in TARGETS},
    "signature.json": (
        "description",
        N_("Signature"),
        N_("names, dtypes and shapes of inputs and outputs, in ONNX and in these files"),
    ),
    "nodes.json": ("description", N_("Nodes"), N_("which TensorFlow ops each ONNX node became")),
}


@dataclass(frozen=True)
class Artifact:
    """A file or a folder that a stage wrote. `files` are the paths of its files inside the run."""

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


def artifacts(run: Run) -> list[Artifact]:
    """The artifacts that the records of the export and the converters list. Raises RunError if a record is damaged."""
    recorded = []
    for stage in ("export", *CONVERT_STAGES):
        record = run.record(stage)
        if record is None:
            continue
        for name, (kind, title, about) in _DESCRIPTIONS.items():
            sizes = {
                f"{stage}/{file}": int(output["bytes"])
                for file, output in record.outputs.items()
                if file == name or file.startswith(f"{name}/")
            }
            if sizes:
                recorded.append(Artifact(stage, name, kind, _(title), _(about), tuple(sizes), sum(sizes.values())))
    return recorded


def find(run: Run, name: str) -> Artifact:
    """The artifact with this name or path inside the run. Raises ConfigError unless there is exactly one."""
    everything = artifacts(run)
    matches = [item for item in everything if name.rstrip("/") in (item.name, item.path)]
    if len(matches) != 1:
        paths = [item.path for item in matches or everything]
        hint = _("name one of {paths}", paths=list_words(paths)) if paths else ""
        if matches:
            raise ConfigError(_("the run {run} has more than one artifact {name!r}", run=run.name, name=name), hint)
        raise ConfigError(_("the run {run} has no artifact {name!r}", run=run.name, name=name), hint)
    return matches[0]


def check_files(run: Run, artifact: Artifact) -> None:
    """Raises RunError if a file of the artifact is gone, or is a link that leads out of the run."""
    for name in artifact.files:
        run.file(name, run.command_for(artifact.stage))
