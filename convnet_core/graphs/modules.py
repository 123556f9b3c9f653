"""The modules that a node comes from: PyTorch's exporter records them; in other files, names have them as prefixes."""

from __future__ import annotations

import ast
from itertools import accumulate, islice

from onnx import NodeProto

_SCOPES, _CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
"""The modules' paths from the outermost, and their classes; the last one of each is the operation itself."""


_DEEPEST = 32
"""The most modules around a node: a name of nothing but slashes would make millions, each as long as the name."""


class Modules:
    """Finds the modules of nodes, and remembers each module's class: `layer1.0` is a `Bottleneck`."""

    def __init__(self) -> None:
        self.classes: dict[str, str] = {}

    def of(self, node: NodeProto) -> tuple[str, ...]:
        """The modules that a node is in, from the outermost; the model itself does not count."""
        properties = {item.key: item.value for item in node.metadata_props}
        scopes, classes = _texts(properties.get(_SCOPES, "")), _texts(properties.get(_CLASSES, ""))
        named = [(scope, kind) for scope, kind in zip(scopes[:-1], classes[:-1], strict=False) if scope][:_DEEPEST]
        if not scopes:  # "/layer1/layer1.0/conv1/Conv", as PyTorch's first exporter and TensorFlow name nodes
            parts = [part for part in node.name.split("/")[:-1] if part]
            named = [(path, "") for path in islice(accumulate(parts, "{}/{}".format), _DEEPEST)]
        for path, kind in named:
            self.classes.setdefault(path, kind.rsplit(".", 1)[-1])
        return tuple(dict.fromkeys(path for path, _ in named))


def _texts(literal: str) -> list[str]:
    """A list of texts, written as in Python; empty if it is anything else."""
    try:
        value = ast.literal_eval(literal)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
