"""Turn errors of PyTorch's exporter into one line: what failed, where in the network, and a workaround."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator

import onnx
import torch

from convnet_core.errors import ConversionError, UnsupportedOpError

_WORKAROUNDS = {
    "aten::_cdist_forward": "for p=2, use (x.unsqueeze(-2) - y.unsqueeze(-3)).pow(2).sum(-1).sqrt()",
    "aten::adaptive_max_pool": "use an output size that divides the input's, or nn.MaxPool2d; for one value torch.amax",
    "prims::prod": "x.prod() and x.prod(dim) work; write a cumulative product as a loop of products",
    "aten::searchsorted": "use torch.bucketize",
    "aten::kthvalue": "use torch.topk or torch.sort, and an index",
    "aten::median": "use torch.topk or torch.sort, and an index",
}
"""Replacements for operators that PyTorch 2.14's exporter does not support, by the start of the operator's name."""

_GENERAL_WORKAROUND = "write it with other PyTorch operators; PyTorch's documentation lists those with an ONNX form"
_NO_OP = re.compile(r"No Op registered for (\w+) with domain_version of (\d+)")
_PYTORCH = re.compile(r"/(torch|onnxscript|convnet_core)/|/importlib/|^<|/contextlib.py$")
_LINE = re.compile(r'File "([^"]+)", line (\d+), in .*\n\s*(\S.*)')


def explain(error: BaseException) -> ConversionError:
    """The ConversionError to raise for an error of the exporter, whose own text is pages long."""
    causes = list(_causes(error))
    node = _node(causes)
    root = causes[-1]
    if node is not None:
        return _node_error(node, root)
    if newer := next(filter(None, (newer_opset_error(str(cause)) for cause in causes)), None):
        return newer
    if any("data-dependent" in str(cause) for cause in causes):
        return _data_dependent_error(causes)
    return ConversionError(f"PyTorch's exporter failed{_frame(root)}: {summarize(root)}")


def summarize(error: BaseException) -> str:
    """An exporter's error in one line: the last error that its text mentions, which is usually the cause."""
    lines = [re.sub(r"\x1b\[\d+m", "", line).strip() for line in str(error).splitlines()]
    inner_error = re.compile(r"<class '|[\w.]+(Error|Exception|Violation)\b")
    line = next(filter(inner_error.match, reversed(lines)), "") or next(filter(None, lines), "")
    return f"{type(error).__name__}: {line[:200]}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _node(causes: list[BaseException]) -> torch.fx.Node | None:
    """The node that the exporter failed on. PyTorch 2.14's error has it only as text, without its module."""
    for cause in causes:
        for frame, _ in traceback.walk_tb(cause.__traceback__):
            node = frame.f_locals.get("node")
            if frame.f_code.co_name == "_translate_fx_graph" and isinstance(node, torch.fx.Node):
                return node
    return None


def _node_error(node: torch.fx.Node, root: BaseException) -> ConversionError:
    name = "::".join(str(node.target).split(".")[:2])  # aten.cdist.default is aten::cdist
    if type(root).__name__ == "DispatchError":
        numbers = " for complex numbers" if "complex-valued" in str(root) else ""
        workarounds = (text for start, text in _WORKAROUNDS.items() if name.startswith(start))
        _, function = node.meta.get("torch_fn", ("", ""))
        function = function.rpartition(".")[2]
        called = f" ({function})" if function and function not in name else ""
        return UnsupportedOpError(
            f"PyTorch's exporter has no ONNX form of {name}{called}{numbers}{_location(node)}",
            hint=next(workarounds, _GENERAL_WORKAROUND),
        )
    return ConversionError(f"PyTorch's exporter cannot write {name}{_location(node)} as ONNX: {summarize(root)}")


def _location(node: torch.fx.Node) -> str:
    """The location of a node: its module's path and class, and the line of code."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    path, kind = stack[-1] if stack else ("", "")
    kind = kind if isinstance(kind, str) else kind.__name__
    module = f", in {path or 'the network'} ({kind.rpartition('.')[2]})" if kind else ""
    return module + _line(node.meta.get("stack_trace") or "")


def _line(text: str) -> str:
    """The last line of a traceback in the network's code rather than in PyTorch's."""
    lines = [match for match in _LINE.findall(text) if not _PYTORCH.search(match[0])]
    if not lines:
        return ""
    file, line, code = lines[-1]
    return f" at {file.rpartition('/')[2]}:{line}: {code.strip()[:80]}"


def _frame(error: BaseException) -> str:
    """The line of the network's code that raised an error."""
    return _line("".join(traceback.format_tb(error.__traceback__)))


def newer_opset_error(text: str) -> ConversionError | None:
    """The error for an ONNX operator that is newer than the opset; None if `text` mentions none."""
    match = _NO_OP.search(text)
    if match is None:
        return None
    versions = [item.since_version for item in onnx.defs.get_all_schemas_with_history() if item.name == match[1]]
    return UnsupportedOpError(
        f"the network needs ONNX's {match[1]}, which is not in opset {match[2]}",
        hint=f"use --opset {min(versions)}" if versions else "",
    )


def _data_dependent_error(causes: list[BaseException]) -> ConversionError:
    location = next(filter(None, (_line(str(cause)) for cause in causes)), _frame(causes[-1]))
    return ConversionError(
        f"the network's code depends on the values of a tensor{location}; an ONNX graph is the same for all values",
        hint="use torch.where or torch.cond instead of `if`, and sizes that do not depend on values",
    )
