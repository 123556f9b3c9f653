"""Why PyTorch's exporter failed, in one line: what it met, where in the network, and a way round."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator

import onnx
import torch

from convnet_core.errors import ConversionError, UnsupportedOpError

_WAYS = {
    "aten::_cdist_forward": "(x.unsqueeze(-2) - y.unsqueeze(-3)).pow(2).sum(-1).sqrt() is the same for p=2",
    "aten::adaptive_max_pool": "use an output size that divides the input's, or nn.MaxPool2d; for one value torch.amax",
    "prims::prod": "x.prod() and x.prod(dim) work; write a cumulative product as a loop of products",
    "aten::searchsorted": "use torch.bucketize",
    "aten::kthvalue": "use torch.topk or torch.sort, and an index",
    "aten::median": "use torch.topk or torch.sort, and an index",
}
"""What to write instead of an operator that PyTorch 2.14's exporter lacks, by how its name begins."""

_ANY_WAY = "write it with other operators of PyTorch; which ones have an ONNX form is in PyTorch's documentation"
_NO_OP = re.compile(r"No Op registered for (\w+) with domain_version of (\d+)")
_PYTORCH = re.compile(r"/(torch|onnxscript|convnet_core)/|/importlib/|^<|/contextlib.py$")
_LINE = re.compile(r'File "([^"]+)", line (\d+), in .*\n\s*(\S.*)')


def explain(error: BaseException) -> ConversionError:
    """The error to raise for one of the exporter's, whose own begins with advice and is pages long."""
    causes = list(_causes(error))
    node = _node(causes)
    met = causes[-1]
    if node is not None:
        return _of_node(node, met)
    if newer := next(filter(None, (newer_opset(str(cause)) for cause in causes)), None):
        return newer
    if any("data-dependent" in str(cause) for cause in causes):
        return _of_values(causes)
    return ConversionError(f"PyTorch's exporter failed{_frame(met)}: {reason_of(met)}")


def reason_of(error: BaseException) -> str:
    """What an error of the exporter says, in one line: the text often ends with another error, which it met."""
    lines = [re.sub(r"\x1b\[\d+m", "", line).strip() for line in str(error).splitlines()]
    met = re.compile(r"<class '|[\w.]+(Error|Exception|Violation)\b")
    found = next(filter(met.match, reversed(lines)), "") or next(filter(None, lines), "")
    return f"{type(error).__name__}: {found[:200]}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _node(causes: list[BaseException]) -> torch.fx.Node | None:
    """The node that the exporter was at: PyTorch 2.14 gives it as text alone, without the module that it stands in."""
    for cause in causes:
        for frame, _ in traceback.walk_tb(cause.__traceback__):
            node = frame.f_locals.get("node")
            if frame.f_code.co_name == "_translate_fx_graph" and isinstance(node, torch.fx.Node):
                return node
    return None


def _of_node(node: torch.fx.Node, met: BaseException) -> ConversionError:
    name = "::".join(str(node.target).split(".")[:2])  # aten.cdist.default is aten::cdist
    if type(met).__name__ == "DispatchError":
        numbers = " of complex numbers" if "complex-valued" in str(met) else ""
        way = next((way for start, way in _WAYS.items() if name.startswith(start)), _ANY_WAY)
        _, function = node.meta.get("torch_fn", ("", ""))
        function = function.rpartition(".")[2]
        called = f" ({function})" if function and function not in name else ""
        return UnsupportedOpError(
            f"PyTorch's exporter has no ONNX form of {name}{called}{numbers}{_place(node)}", hint=way
        )
    return ConversionError(f"PyTorch's exporter cannot write {name}{_place(node)} as ONNX: {reason_of(met)}")


def _place(node: torch.fx.Node) -> str:
    """Where a node stands: its module's path and class, and the line of code."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    path, kind = stack[-1] if stack else ("", "")
    kind = kind if isinstance(kind, str) else kind.__name__
    module = f", in {path or 'the network'} ({kind.rpartition('.')[2]})" if kind else ""
    return module + _line(node.meta.get("stack_trace") or "")


def _line(text: str) -> str:
    """The last line of the network's own code that a trace names: the rest is PyTorch's."""
    lines = [match for match in _LINE.findall(text) if not _PYTORCH.search(match[0])]
    if not lines:
        return ""
    file, line, code = lines[-1]
    return f" at {file.rpartition('/')[2]}:{line}: {code.strip()[:80]}"


def _frame(error: BaseException) -> str:
    """The line of the network's own code that an error came from."""
    return _line("".join(traceback.format_tb(error.__traceback__)))


def newer_opset(said: str) -> ConversionError | None:
    """The error for an ONNX operator that is newer than the opset; None where `said` speaks of none."""
    found = _NO_OP.search(said)
    if found is None:
        return None
    versions = [item.since_version for item in onnx.defs.get_all_schemas_with_history() if item.name == found[1]]
    return UnsupportedOpError(
        f"the network needs ONNX's {found[1]}, which is not in opset {found[2]}",
        hint=f"--opset {min(versions)}" if versions else "",
    )


def _of_values(causes: list[BaseException]) -> ConversionError:
    where = next(filter(None, (_line(str(cause)) for cause in causes)), _frame(causes[-1]))
    return ConversionError(
        f"the network's code depends on the values of a tensor{where}; an ONNX file has the same nodes for all values",
        hint="torch.where or torch.cond in the place of `if`, and sizes that do not depend on values",
    )
