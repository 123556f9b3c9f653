"""Turn errors of PyTorch's exporter into one line: what failed, where in the network, and a workaround."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator

import onnx
import torch

from convnet_core.errors import ConversionError, UnsupportedOpError
from convnet_core.language import N_, _

_WORKAROUNDS = {
    "aten::_cdist_forward": N_("for p=2, use (x.unsqueeze(-2) - y.unsqueeze(-3)).pow(2).sum(-1).sqrt()"),
    "aten::adaptive_max_pool": N_(
        "use an output size that divides the input's, or nn.MaxPool2d; for one value torch.amax"
    ),
    "prims::prod": N_("x.prod() and x.prod(dim) work; write a cumulative product as a loop of products"),
    "aten::searchsorted": N_("use torch.bucketize"),
    "aten::kthvalue": N_("use torch.topk or torch.sort, and an index"),
    "aten::median": N_("use torch.topk or torch.sort, and an index"),
}
"""Replacements for operators that PyTorch 2.14's exporter does not support, by the start of the operator's name."""

_GENERAL_WORKAROUND = N_("write it with other PyTorch operators; PyTorch's documentation lists those with an ONNX form")
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
    return ConversionError(_("PyTorch's exporter failed{place}: {reason}", place=_frame(root), reason=summarize(root)))


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
        for frame, _line_number in traceback.walk_tb(cause.__traceback__):
            node = frame.f_locals.get("node")
            if frame.f_code.co_name == "_translate_fx_graph" and isinstance(node, torch.fx.Node):
                return node
    return None


def _node_error(node: torch.fx.Node, root: BaseException) -> ConversionError:
    name = "::".join(str(node.target).split(".")[:2])  # aten.cdist.default is aten::cdist
    if type(root).__name__ == "DispatchError":
        workarounds = (text for start, text in _WORKAROUNDS.items() if name.startswith(start))
        function = node.meta.get("torch_fn", ("", ""))[1].rpartition(".")[2]
        called = f"{name} ({function})" if function and function not in name else name
        message = _("PyTorch's exporter has no ONNX form of {name}{place}", name=called, place=_location(node))
        if "complex-valued" in str(root):
            message = _(
                "PyTorch's exporter has no ONNX form of {name} for complex numbers{place}",
                name=called,
                place=_location(node),
            )
        return UnsupportedOpError(message, hint=_(next(workarounds, _GENERAL_WORKAROUND)))
    return ConversionError(
        _(
            "PyTorch's exporter cannot write {name}{place} as ONNX: {reason}",
            name=name,
            place=_location(node),
            reason=summarize(root),
        )
    )


def _location(node: torch.fx.Node) -> str:
    """The location of a node: its module's path and class, and the line of code."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    path, kind = stack[-1] if stack else ("", "")
    kind = kind if isinstance(kind, str) else kind.__name__
    module = path or _("the network")
    inside = _(", in {module} ({kind})", module=module, kind=kind.rpartition(".")[2]) if kind else ""
    return inside + _line(node.meta.get("stack_trace") or "")


def _line(text: str) -> str:
    """The last line of a traceback in the network's code rather than in PyTorch's."""
    lines = [match for match in _LINE.findall(text) if not _PYTORCH.search(match[0])]
    if not lines:
        return ""
    file, line, code = lines[-1]
    return _(" at {line}: {code}", line=f"{file.rpartition('/')[2]}:{line}", code=code.strip()[:80])


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
        _("the network needs ONNX's {operator}, which is not in opset {opset}", operator=match[1], opset=match[2]),
        hint=_("use --opset {version}", version=min(versions)) if versions else "",
    )


def _data_dependent_error(causes: list[BaseException]) -> ConversionError:
    location = next(filter(None, (_line(str(cause)) for cause in causes)), _frame(causes[-1]))
    return ConversionError(
        _(
            "the network's code depends on the values of a tensor{place}; an ONNX graph is the same for all values",
            place=location,
        ),
        hint=_("use torch.where or torch.cond instead of `if`, and sizes that do not depend on values"),
    )
