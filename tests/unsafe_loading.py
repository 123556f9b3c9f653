"""A lint rule, part of `make check`: no call may load what could run code.

Ruff forbids pickle, eval, exec and shell=True (pyproject.toml); this adds what it has no rule for:
`allow_pickle` other than False, and `torch.load` without `weights_only=True`.
Run: python tests/unsafe_loading.py FILES...
"""

import ast
import sys
from pathlib import Path


def faults(source: str) -> list[tuple[int, str]]:
    """(line, what is wrong) for each unsafe call in a Python source."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        keywords = {word.arg: word.value for word in node.keywords}
        name = ast.unparse(node.func)
        for word, only in (("allow_pickle", False), ("weights_only", True)):
            value = keywords.get(word)
            if value is not None and not (isinstance(value, ast.Constant) and value.value is only):
                found.append((node.lineno, f"{word} must be {only}"))
        if name == "torch.load" and "weights_only" not in keywords:
            found.append((node.lineno, "torch.load without weights_only=True"))
        if name in ("np.load", "numpy.load") and "allow_pickle" not in keywords:
            found.append((node.lineno, "np.load without allow_pickle=False"))
    return found


def main(paths: list[str]) -> int:
    """Print the faults of all files; 1 when there are any."""
    found = [(path, *fault) for path in paths for fault in faults(Path(path).read_text(encoding="utf-8"))]
    for path, line, text in found:
        print(f"{path}:{line}: {text}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
