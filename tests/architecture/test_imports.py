"""Who imports what: packages are entered by one door, so that threads which import at once do not wait in a ring."""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

FILES = [*(ROOT / "convnet_core").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}
PACKAGES = [f"convnet_core.{name}" for name in ("convert", "data", "graphs", "jobs", "runtimes")]


def imported(path: Path, *, at_once: bool) -> set[str]:
    """The modules that a file imports, or only those that it imports when it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {item.name for item in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{item.name}" for item in node.names)} if at_once else {node.module}
    return found & MODULES.keys()


def loaded_by(package: str) -> set[str]:
    """The modules of a package that are imported with the package itself."""
    found, waiting = set(), [package]
    while waiting:
        new = imported(MODULES[waiting.pop()], at_once=True) - found
        found |= new
        waiting += new
    return {name for name in found if name.startswith(f"{package}.")}


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_imports_itself_is_imported_through_the_package(package):
    """CPython 3.11 ends an import in a _DeadlockError where one thread imports a package and another one a module in it
    that the package imports: each holds what the other waits for. It met two people who opened a new server at once.
    """
    inside = loaded_by(package)
    assert inside
    for name, path in MODULES.items():
        if name != package and not name.startswith(f"{package}."):
            assert not imported(path, at_once=False) & inside, f"{name}: import it from {package}"
