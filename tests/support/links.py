"""Links that a hostile run may contain in place of its files."""

from pathlib import Path


def replace_with_link(run, name: str, folder: Path) -> None:
    """Move a file of the run to another folder and link to it, so that every record of the file stays valid."""
    path = run.path / name
    outside = folder / path.name
    path.rename(outside)
    path.symlink_to(outside)
