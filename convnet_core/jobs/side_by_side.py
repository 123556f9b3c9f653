"""Two runs side by side: what was set differently, and what came of it. Reads only the runs' small JSON files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from convnet_core.artifacts.artifact import artifacts
from convnet_core.benchmark import results as benchmark
from convnet_core.common.formatting import format_duration, format_error, format_share, format_size
from convnet_core.compare import report_file
from convnet_core.config.fields import Config, describe, value_at
from convnet_core.config.stages import BenchmarkConfig, CompareConfig, ConvertConfig, ExportConfig, TrainConfig
from convnet_core.jobs.overview import overview
from convnet_core.language import N_, _
from convnet_core.runs.run import Run
from convnet_core.runs.stage_results import TrainingResult

_CONFIGS: dict[str, type[Config]] = {
    "train": TrainConfig,
    "export": ExportConfig,
    "convert/native": ConvertConfig,
    "convert/onnx-tf": ConvertConfig,
    "compare": CompareConfig,
    benchmark.STAGE: BenchmarkConfig,
}
_PRODUCTS = {
    "export": N_("Graph"),
    "convert/native": N_("Conversion"),
    "convert/onnx-tf": N_("Conversion by onnx-tf"),
    "compare": N_("Verdict"),
}
_NONE = "–"
_NOT_FRESH = ("stale", "missing")


@dataclass(frozen=True)
class Row:
    """What is compared, and its values in the two runs, one for each heading of the table."""

    name: str
    left: tuple[str, ...]
    right: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rows of one kind; `headings` are those of the values."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class SideBySide:
    """Two runs side by side. `all_settings` has those that are equal, too. `notes` say what is out of date."""

    results: Table
    settings: Table
    all_settings: Table
    runtimes: Table
    speed: Table
    files: Table
    notes: tuple[str, ...]

    @property
    def tables(self) -> list[Table]:
        """The tables that have something to show, in the order of reading."""
        return [table for table in (self.results, self.settings, self.runtimes, self.speed, self.files) if table.rows]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def side_by_side(left: Run, right: Run) -> SideBySide:
    """Lay two runs of any kind side by side; what a run lacks is a dash.

    Raises RunError or ConfigError if a file of them is damaged.
    """
    pair = (left, right)
    settings = _settings(left, right)
    return SideBySide(
        results=Table(_("Results"), (_("result"),), _rows(_results(run) for run in pair)),
        settings=Table(
            _("Settings that differ"), (_("value"),), tuple(row for row in settings if row.left != row.right)
        ),
        all_settings=Table(_("All settings"), (_("value"),), settings),
        runtimes=Table(
            _("Runtimes"),
            (_("verdict"), _("largest error"), _("equal labels"), _("accuracy")),
            _rows(_if_made(run, "compare", _runtimes) for run in pair),
        ),
        speed=Table(
            _("Speed"), (_("median"), _("samples/s")), _rows(_if_made(run, benchmark.STAGE, _speeds) for run in pair)
        ),
        files=Table(_("Files"), (_("size"),), _rows(_files(run) for run in pair)),
        notes=tuple(note for letter, run in zip("AB", pair, strict=True) for note in _notes(letter, run)),
    )


def _rows(sides: Iterable[Mapping[str, tuple[str, ...]]]) -> tuple[Row, ...]:
    """A row for each name that either side has, in the order of the left side, then of the right."""
    left, right = sides
    both = {**left, **right}
    return tuple(
        Row(name, left.get(name, (_NONE,) * len(values)), right.get(name, (_NONE,) * len(values)))
        for name, values in both.items()
    )


def _if_made(
    run: Run, stage: str, read: Callable[[Run], Mapping[str, tuple[str, ...]]]
) -> Mapping[str, tuple[str, ...]]:
    return read(run) if run.record(stage) else {}


def _results(run: Run) -> dict[str, tuple[str, ...]]:
    record = run.record("train")
    trained = record.result_as(TrainingResult) if record else None
    views = overview(run).stages
    rows: dict[str, tuple[str, ...]] = {}
    if trained:
        rows[_("Test accuracy")] = (format_share(trained.test_accuracy),)
        rows[_("Training time")] = (format_duration(trained.seconds),)
    for stage, product in _PRODUCTS.items():
        if stage in views and views[stage].state == "fresh":
            rows[_(product)] = (views[stage].detail,)
    return rows


def _settings(left: Run, right: Run) -> tuple[Row, ...]:
    """The settings of the stages that both runs have."""
    rows = []
    for stage, kind in _CONFIGS.items():
        records = left.record(stage), right.record(stage)
        if records[0] and records[1]:
            one, other = kind.from_json(records[0].config), kind.from_json(records[1].config)
            rows += [
                Row(
                    f"{stage} · {field.flag.replace('-', ' ')}",
                    (_text(value_at(one, field.path)),),
                    (_text(value_at(other, field.path)),),
                )
                for field in describe(kind)
            ]
    return tuple(rows)


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _runtimes(run: Run) -> dict[str, tuple[str, ...]]:
    return {
        line.name: (
            _("fail") if not line.passed else _("pass") if line.judged else _("not judged"),
            format_error(line.max_abs_error),
            format_share(line.label_agreement),
            format_share(line.accuracy),
        )
        for line in report_file.load(run).runtimes
    }


def _speeds(run: Run) -> dict[str, tuple[str, ...]]:
    return {
        speed.name: (
            benchmark.format_milliseconds(speed.latency.median_ms or 0) if speed.latency else _NONE,
            f"{speed.best.samples_per_second or 0:,.0f}" if speed.best else _NONE,
        )
        for speed in benchmark.load(run).runtimes
    }


def _files(run: Run) -> dict[str, tuple[str, ...]]:
    return {item.path: (format_size(item.bytes),) for item in artifacts(run)}


def _notes(letter: str, run: Run) -> list[str]:
    """What of a run is out of date, and what it has not made."""
    states = {stage: run.state(stage).state for stage in (*run.stages, benchmark.STAGE)}
    stale, missing = (", ".join(name for name, found in states.items() if found == state) for state in _NOT_FRESH)
    notes = []
    if stale:
        notes.append(_("{run}: out of date: {stages}", run=letter, stages=stale))
    if missing:
        notes.append(_("{run}: not made yet: {stages}", run=letter, stages=missing))
    return notes
