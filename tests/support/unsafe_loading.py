"""A lint rule, part of `make check`: no call may load data that can run code.

Ruff forbids modules and functions by name: pickle, YAML, TorchScript, eval (pyproject.toml). This checks arguments,
for which ruff 0.17 has no rule: `allow_pickle` other than False, `torch.load` without `weights_only=True`,
`safe_mode` other than True, and archives unpacked without `filter="data"`.
Run: python tests/support/unsafe_loading.py FILES...
"""

import ast
import sys
from pathlib import Path

_UNPACKS = {"extractall", "extract"}  # methods of tarfile and zipfile


def faults(source: str) -> list[tuple[int, str]]:
    """List the unsafe calls in Python source code as (line, reason)."""
    unsafe = []
    tree = ast.parse(source)
    modules = _imported_names(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        keywords = {word.arg: word.value for word in node.keywords}
        name = _full_name(node.func, modules)
        for word, only in (("allow_pickle", False), ("weights_only", True), ("safe_mode", True)):
            value = keywords.get(word)
            if value is not None and not (isinstance(value, ast.Constant) and value.value is only):
                unsafe.append((node.lineno, f"{word} must be {only}"))
        if isinstance(node.func, ast.Attribute) and node.func.attr in _UNPACKS and not _has_data_filter(keywords):
            unsafe.append((node.lineno, f"{ast.unparse(node.func)}: an archive is unpacked without filter='data'"))
        if name == "torch.load" and "weights_only" not in keywords:
            unsafe.append((node.lineno, "torch.load without weights_only=True"))
        if name == "numpy.load" and "allow_pickle" not in keywords:
            unsafe.append((node.lineno, "numpy.load without allow_pickle=False"))
    return unsafe


def _imported_names(tree: ast.Module) -> dict[str, str]:
    """Map local names to full names, such as load → torch.load; np is always numpy."""
    names = {"np": "numpy"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {item.asname: item.name for item in node.names if item.asname}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {item.asname or item.name: f"{node.module}.{item.name}" for item in node.names}
    return names


def _full_name(function: ast.expr, names: dict[str, str]) -> str:
    """Expand a dotted name to the full name that was imported."""
    first, dot, rest = ast.unparse(function).partition(".")
    return names.get(first, first) + dot + rest


def _has_data_filter(keywords: dict[str | None, ast.expr]) -> bool:
    """Whether the call passes filter="data", tarfile's protection against paths and links out of the folder."""
    value = keywords.get("filter")
    return isinstance(value, ast.Constant) and value.value == "data"


def main(paths: list[str]) -> int:
    """Print the unsafe calls in all files; return 1 if there are any."""
    unsafe = [(path, *fault) for path in paths for fault in faults(Path(path).read_text(encoding="utf-8"))]
    for path, line, text in unsafe:
        print(f"{path}:{line}: {text}")
    return int(bool(unsafe))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
