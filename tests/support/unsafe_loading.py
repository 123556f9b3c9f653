"""A lint rule, part of `make check`: no call may load what could run code.

Ruff forbids pickle, eval, exec and shell=True (pyproject.toml); this adds what it has no rule for:
`allow_pickle` other than False, `torch.load` without `weights_only=True`, YAML that builds objects, archives
that write where their names say, models whose file holds code.
Run: python tests/support/unsafe_loading.py FILES...
"""

import ast
import sys
from pathlib import Path

_YAML = (
    *("load", "load_all", "unsafe_load", "unsafe_load_all", "full_load", "full_load_all"),
    *("Loader", "UnsafeLoader", "FullLoader", "CLoader", "CUnsafeLoader", "CFullLoader"),
)
_NEVER = {
    **{f"yaml.{name}": "use yaml.safe_load or yaml.safe_load_all" for name in _YAML},
    "shutil.unpack_archive": "names in an archive may lead out of the folder; read its members one by one",
    "torch.jit.load": "TorchScript is code",
    "torch.hub.load": "it runs the code of a repository",
    "torch.package.PackageImporter": "a package is code",
    "pandas.read_pickle": "a pickle can run code",
}
_UNPACKS = {"extractall", "extract"}  # of tarfile and zipfile


def faults(source: str) -> list[tuple[int, str]]:
    """(line, what is wrong) for each unsafe call in a Python source."""
    found = []
    tree = ast.parse(source)
    modules = _imported(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        keywords = {word.arg: word.value for word in node.keywords}
        name = _full_name(node.func, modules)
        for word, only in (("allow_pickle", False), ("weights_only", True), ("safe_mode", True)):
            value = keywords.get(word)
            if value is not None and not (isinstance(value, ast.Constant) and value.value is only):
                found.append((node.lineno, f"{word} must be {only}"))
        if name in _NEVER:
            found.append((node.lineno, f"{name}: {_NEVER[name]}"))
        if isinstance(node.func, ast.Attribute) and node.func.attr in _UNPACKS and not _filtered(keywords):
            found.append((node.lineno, f"{ast.unparse(node.func)}: an archive is unpacked without filter='data'"))
        if name == "torch.load" and "weights_only" not in keywords:
            found.append((node.lineno, "torch.load without weights_only=True"))
        if name == "numpy.load" and "allow_pickle" not in keywords:
            found.append((node.lineno, "numpy.load without allow_pickle=False"))
    return found


def _imported(tree: ast.Module) -> dict[str, str]:
    """What the names that a source imports stand for, and the customary ones: np is numpy, load may be torch.load."""
    names = {"np": "numpy", "pd": "pandas"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {item.asname: item.name for item in node.names if item.asname}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {item.asname or item.name: f"{node.module}.{item.name}" for item in node.names}
    return names


def _full_name(function: ast.expr, names: dict[str, str]) -> str:
    """A dotted name as if nothing had been renamed."""
    first, dot, rest = ast.unparse(function).partition(".")
    return names.get(first, first) + dot + rest


def _filtered(keywords: dict[str | None, ast.expr]) -> bool:
    """Whether tarfile is told to refuse paths and links that lead out of the folder; zipfile cannot be told."""
    value = keywords.get("filter")
    return isinstance(value, ast.Constant) and value.value == "data"


def main(paths: list[str]) -> int:
    """Print the faults of all files; 1 when there are any."""
    found = [(path, *fault) for path in paths for fault in faults(Path(path).read_text(encoding="utf-8"))]
    for path, line, text in found:
        print(f"{path}:{line}: {text}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
