"""A run's artifacts as one zip that is useful without this project: the files, what each is, how to use it.

<run>/README.txt
<run>/export/               model.onnx  use_model_onnx.py
<run>/convert/<converter>/  saved_model/  frozen.pb  *.tflite  signature.json  nodes.json  use_*.py
<run>/compare/              report.json  report.html  report.md (if the comparison is fresh)
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import BinaryIO

from convnet_core.artifacts import snippets
from convnet_core.artifacts.artifact import Artifact, artifacts, check_files
from convnet_core.common.files import new_id
from convnet_core.common.formatting import format_size, join_clauses, list_words
from convnet_core.compare import report_file
from convnet_core.compare.converters import not_compared
from convnet_core.compare.verdict import sentence
from convnet_core.errors import ConfigError, RunError
from convnet_core.language import _
from convnet_core.runs.names import title_of
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CONVERT_STAGES
from convnet_core.runs.stage_record import StageRecord

_TEXTS = {".json", ".html", ".md", ".txt", ".py"}
"""Suffixes of the files to compress. Weights are stored: 100 MB took 2.1 s instead of 0.05 s, for 7 % less size."""


def pack(run: Run, file: BinaryIO, only: Artifact | None = None) -> None:
    """Write the zip with all artifacts or with `only` one. Writes nothing if it fails.

    Raises RunError if nothing is exported yet, a file is gone, or a stage ran again in the meantime.
    """
    with tempfile.TemporaryFile() as draft:
        _write(run, draft, only)
        draft.seek(0)
        shutil.copyfileobj(draft, file)


def pack_to(run: Run, path: Path, only: Artifact | None = None, *, force: bool = False) -> None:
    """Write the zip to a path, which never has a partial file; `force` overwrites an existing one.

    Raises RunError like `pack`, and ConfigError if the file exists or cannot be written.
    """
    if path.is_dir() or (path.exists() and not force):
        raise ConfigError(
            _("{path} already exists", path=path), _("choose another file name, or overwrite it with --force")
        )
    draft = path.with_name(f".{path.name}.{new_id()}")
    try:
        with draft.open("xb") as file:
            _write(run, file, only)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        raise ConfigError(
            _("cannot write {path}: {reason}", path=path, reason=error.strerror),
            _("choose another place, or free some disk space"),
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def readme(run: Run) -> str:
    """What each file in the zip is, and from which run, settings and versions it comes."""
    records = _records(run)
    stages = [f"  {stage}: {_describe_record(run, record)}" for stage, record in records.items()]
    files = [
        f"  {item.path}{'/' if item.is_folder else ''} ({format_size(item.bytes)})\n"
        f"    {_('{name}: {about}', name=item.title, about=item.about)}"
        for item in _packed_artifacts(run)
    ]
    if "compare" in records:
        verdict = sentence(report_file.load(run), not_compared(run))
        files.append(f"  compare/report.html\n    {_('The verdict: {verdict}', verdict=verdict)}")
    parts = [
        [title_of(run)],
        [_("A PyTorch network, exported to ONNX and converted from there. Run: {run}.", run=run.name)],
        [_("Files"), *files],
        [
            _("Next to each artifact is a short program that loads it and runs it once. Start it in its own folder:"),
            "  cd export && python use_model_onnx.py",
        ],
        [_("Stages"), *stages],
        [_("Versions"), *(f"  {line}" for line in _versions(records))],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _write(run: Run, file: BinaryIO, only: Artifact | None) -> None:
    records = _records(run)
    chosen = [only] if only else _packed_artifacts(run)
    if not chosen:
        run.require("export")
    for item in chosen:
        check_files(run, item)
    try:
        with zipfile.ZipFile(file, "w", strict_timestamps=False) as archive:
            for item in chosen:
                for name in item.files:
                    inside = name.removeprefix(f"{item.stage}/") if only else f"{run.name}/{name}"
                    archive.write(run.path / name, inside, _compression(name))
            if not only:
                _write_texts(run, archive)
    except FileNotFoundError as error:
        raise RunError(
            _("{path} is gone", path=error.filename), _("its stage may be running: wait for it, or run the stage again")
        ) from error
    if _records(run) != records:
        raise RunError(_("the run {run} changed while it was being packed", run=run.name), _("pack it again"))


def _write_texts(run: Run, archive: zipfile.ZipFile) -> None:
    texts = {"README.txt": readme(run)}
    for item, text in snippets.snippets(run).items():
        texts[f"{item.stage}/{snippets.file_name(item)}"] = text
    for name, text in texts.items():
        archive.writestr(f"{run.name}/{name}", text, _compression(name))
    if "compare" in _records(run):
        for path in sorted((run.path / "compare").glob("report.*")):
            name = f"compare/{path.name}"
            archive.write(run.file(name), f"{run.name}/{name}", zipfile.ZIP_DEFLATED)


def _packed_artifacts(run: Run) -> list[Artifact]:
    return [item for item in artifacts(run) if item.kind != "weights"]


def _records(run: Run) -> dict[str, StageRecord]:
    """The records of the stages whose files are packed; a comparison only if it is fresh."""
    stages = ["export", *CONVERT_STAGES, *(["compare"] if run.state("compare").state == "fresh" else [])]
    return {stage: record for stage in stages if (record := run.record(stage))}


def _describe_record(run: Run, record: StageRecord) -> str:
    settings = list_words(f"{_(name.replace('_', ' '))} {value}" for name, value in record.config.items())
    state = run.state(record.stage)
    text = join_clauses([record.created, settings])
    return f"{text}\n    {_('STALE: {reason}', reason=state.reason)}" if state.state == "stale" else text


def _versions(records: dict[str, StageRecord]) -> list[str]:
    """Lines like `numpy==2.4.6` without duplicates; two of them if two stages used different versions."""
    return list(
        dict.fromkeys(f"{name}=={version}" for record in records.values() for name, version in record.versions.items())
    )


def _compression(name: str) -> int:
    return zipfile.ZIP_DEFLATED if Path(name).suffix in _TEXTS else zipfile.ZIP_STORED
