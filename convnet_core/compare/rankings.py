"""The nodes of a model that choose by scores (TopK, ArgMax, ArgMin, NonMaxSuppression), and their scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import onnx.inliner
import onnxruntime

from convnet_core.compare.ties import Ranking
from convnet_core.onnx_files.functions import walk_nodes
from convnet_core.tensors.arrays import Array, Feeds

_SAME_ORDER = {"Cast", "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze"}


@dataclass
class _Choice:
    """A node that chooses, the outputs that contain its indices, and the outputs that depend on it otherwise."""

    node: onnx.NodeProto
    indices: tuple[str, ...]
    others: tuple[str, ...]
    scores: str = field(init=False)
    places: str = field(init=False)

    def __post_init__(self) -> None:
        self.scores = self.node.input[1 if self.node.op_type == "NonMaxSuppression" else 0]
        self.places = self.node.output[1 if self.node.op_type == "TopK" else 0]

    def ranking(self, scores: Array, places: Array) -> Ranking:
        attributes = {item.name: onnx.helper.get_attribute_value(item) for item in self.node.attribute}
        outputs = self.indices, self.others
        wide = scores.astype(np.float64)
        if self.node.op_type == "NonMaxSuppression":
            chosen = np.ravel_multi_index(tuple(places.T), scores.shape)[None].astype(np.int64)
            return Ranking(wide.reshape(1, -1), chosen, places.shape[:1], 0, *outputs, dims=scores.shape)
        axis = attributes.get("axis", -1 if self.node.op_type == "TopK" else 0) % scores.ndim
        if self.node.op_type != "TopK" and not attributes.get("keepdims", 1):
            places = np.expand_dims(places, axis)
        falling = attributes.get("largest", 1) and self.node.op_type != "ArgMin"
        chosen = np.moveaxis(places, axis, -1).reshape(-1, places.shape[axis]).astype(np.int64)
        lists = np.moveaxis(wide if falling else -wide, axis, -1).reshape(-1, scores.shape[axis])
        return Ranking(lists, chosen, places.shape, axis, *outputs)


class Rankings:
    """The choices that a model's outputs depend on. The file is opened on first use."""

    def __init__(self, path: Path, model: onnx.ModelProto) -> None:
        self._path = path
        self._choices = list(_choices(onnx.inliner.inline_local_functions(model) if model.functions else model))
        self._session: onnxruntime.InferenceSession | None = None

    def __bool__(self) -> bool:
        return bool(self._choices)

    def of(self, feeds: Feeds) -> list[Ranking]:
        """The model's choices on these inputs, computed by unoptimized ONNX Runtime."""
        self._session = self._session or self._open()
        names = [output.name for output in self._session.get_outputs()]
        inputs = {value.name: feeds[value.name] for value in self._session.get_inputs()}
        values = dict(zip(names, self._session.run(names, inputs), strict=True)) | inputs
        return [item.ranking(values[item.scores], values[item.places]) for item in self._choices]

    def _open(self) -> onnxruntime.InferenceSession:
        model = onnx.load(self._path, load_external_data=False)
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
        inputs = {value.name for value in model.graph.input}
        names = dict.fromkeys(name for item in self._choices for name in (item.scores, item.places))
        del model.graph.output[:]
        model.graph.output.extend(
            onnx.helper.make_empty_tensor_value_info(name) for name in names if name not in inputs
        )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(self._path.parent))
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _choices(model: onnx.ModelProto) -> Iterator[_Choice]:
    outputs = {value.name for value in model.graph.output}
    nodes = list(model.graph.node)
    for place, node in enumerate(nodes):
        chooses = node.op_type in ("ArgMax", "ArgMin", "NonMaxSuppression") or (
            node.op_type == "TopK" and len(node.output) > 1 and node.output[1]
        )
        if not chooses or node.domain not in ("", "ai.onnx"):
            continue
        same = {node.output[1 if node.op_type == "TopK" else 0]}
        reached = set(node.output)
        for later in nodes[place + 1 :]:
            if any(name in reached for part in walk_nodes([later]) for name in part.input):
                reached.update(later.output)
            if later.op_type in _SAME_ORDER and later.input[0] in same:
                same.update(later.output)
        direct = tuple(sorted(same & outputs))
        if reached & outputs:
            yield _Choice(node, direct, tuple(sorted((reached & outputs) - same)))
