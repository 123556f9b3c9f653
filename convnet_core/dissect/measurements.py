"""What a dissection measures, as plain data. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field

from convnet_core.convert.node_map_file import ConvertedWeight
from convnet_core.dissect.difference import Difference


@dataclass(frozen=True)
class NodeError:
    """An output of a node in one runtime.

    `whole` is its difference from the reference, `own` the part of it that the node itself adds, as a share of the
    range (None if the node cannot run alone), `multiple` the error in units of the noise. `born` means that the node
    adds more than its runtime may, `beyond` that the whole error is larger than that, `remade` that the runtime hides
    the value inside a larger operator, and it was recomputed from earlier values.
    """

    whole: Difference
    own: float | None
    multiple: float
    born: bool
    beyond: bool
    remade: bool = False


@dataclass(frozen=True)
class NodeResult:
    """An output of an ONNX node: its range in the reference, the float32 noise as a share of it, and its errors.

    `shape_differs` has the shapes of runtimes whose tensor has a different shape.
    """

    name: str
    op: str
    output: str
    range: tuple[float, float]
    noise: float
    runtimes: dict[str, NodeError] = field(default_factory=dict)
    shape_differs: dict[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class LiteRTOp:
    """An operation in a TFLite file: its type, the shapes of its outputs, and the ONNX nodes it contains."""

    type: str
    shapes: tuple[tuple[int, ...], ...]
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Weight:
    """A weight on both sides: its shape in ONNX and in TensorFlow, and how one becomes the other.

    `error` is the largest difference in ONNX's layout; None if the conversion stores the weight neither as a variable
    nor as a constant.
    """

    name: str
    node: str
    shape: tuple[int, ...]
    there: tuple[int, ...]
    place: ConvertedWeight
    error: float | None


@dataclass(frozen=True)
class Fusion:
    """A Conv node with a folded BatchNorm: its epsilon, the parameters of the first channel, and the largest error of
    the folded weights as a share of their range.

    `fits` is the epsilon that fits the folded weights best, and `error_as_it_fits` their error with it. `where` is the
    file: "ONNX" if the exporter folded it, "LiteRT" if TFLite's converter did.
    """

    node: str
    epsilon: float
    channel: dict[str, float]
    error: float
    fits: float
    error_as_it_fits: float
    where: str = "ONNX"


@dataclass(frozen=True)
class Labels:
    """One runtime's labels: the share equal to the reference's, its accuracy (None if unknown) and its largest error.

    `could_flip` counts samples whose margin (top-1 minus top-2 score) is at most twice the error; `closest` are the
    first of these, with their `margins`. `examples` are the first samples that flipped, with the reference's label and
    the runtime's in `answers`.
    """

    samples: int
    agreement: float
    accuracy: float | None
    max_error: float
    could_flip: int
    closest: tuple[int, ...]
    margins: tuple[float, ...]
    flipped: int
    examples: tuple[int, ...]
    answers: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class BatchResult:
    """An artifact at a batch size: the shape of its output, and its error as a share of the ONNX model's range.

    `fault` says why there is no output, or how it differs. The error is None if it cannot be computed.
    """

    runtime: str
    batch: int
    shape: tuple[int, ...]
    fault: str = ""
    error: float | None = None


@dataclass(frozen=True)
class WorstInput:
    """The largest difference of any output value, as a share of the reference's range: `before` on the samples
    themselves, and the worst `found` after the search.
    """

    runtime: str
    before: float
    found: float
    steps: int
