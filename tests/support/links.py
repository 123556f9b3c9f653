"""Links that a hostile run may have in place of its files."""

from pathlib import Path


def moved_out(run, name: str, folder: Path) -> None:
    """Move a file of the run into another folder, and leave a link to it: every record of the file still holds."""
    path = run.path / name
    outside = folder / path.name
    path.rename(outside)
    path.symlink_to(outside)
