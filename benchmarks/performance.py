"""Write docs/PERFORMANCE.md: the table and the charts of all measurements.

    python -m benchmarks.performance

Reads benchmarks/results/*.json, which the other benchmarks write. Keeps the handwritten part below the marker.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import charts
from benchmarks.turns import load

DOCS = Path(__file__).parent.parent / "docs"
PARTS = ("training", "accuracy", "whole", "saved_models", "app", "click_to_verdict", "growth")
MARKER = "<!-- from here on written by hand -->"


def main() -> None:
    results = {name: content for name in PARTS if (content := load(name)) is not None}
    pictures = DOCS / "performance"
    pictures.mkdir(exist_ok=True)
    rows = [row for content in results.values() for row in content["rows"]]
    ratios = [
        (_label(row), row["value"], row["low"], row["high"], _target(row))
        for row in rows
        if row["unit"] == "×" and "linear" not in row["target"]
    ]
    (pictures / "ratios.svg").write_text(charts.bars(ratios), encoding="utf-8")
    lines = [
        "# Performance", "",
        "Everything side by side in one run, as ratios: the middle of the repetitions, and in brackets the lowest and",
        "the highest. Made by `make bench` from `benchmarks/results/*.json`. A GPU was not at hand: not measured.", "",
        *(f"- `python -m benchmarks.{name}`: {content['date'][:10]}, {content['machine']}, torch "
          f"{content['versions'].get('torch', '?')}, TensorFlow {content['versions'].get('tensorflow', '?')}"
          for name, content in results.items()), "",
        "| what | against | measured | target | met | |", "| --- | --- | --- | --- | --- | --- |",
        *(_line(row) for row in rows), "",
        "![Ratios with their spread; the upright line is the target](performance/ratios.svg)", "",
    ]  # fmt: skip
    for number, (title, chart) in enumerate(results.get("growth", {}).get("charts", {}).items()):
        name = f"growth{number}.svg"
        (pictures / name).write_text(charts.line(title, chart["x"], chart["y"], chart["unit"]), encoding="utf-8")
        lines.append(f"![{title}](performance/{name})")
    path = DOCS / "PERFORMANCE.md"
    handwritten = path.read_text(encoding="utf-8").partition(MARKER)[2] if path.is_file() else "\n"
    path.write_text("\n".join(lines) + f"\n\n{MARKER}{handwritten}", encoding="utf-8")


def _line(row: dict[str, Any]) -> str:
    met = {True: "yes", False: "**no**", None: "–"}[row["met"]]
    spread = f" ({row['low']:.3g} to {row['high']:.3g})" if row["low"] != row["high"] else ""
    digits = ".2f" if row["unit"] == "%" else ".3g"
    measured = f"{row['value']:{digits}} {row['unit']}{spread}"
    return f"| {row['what']} | {row['against']} | {measured} | {row['target']} | {met} | {row['detail']} |"


def _target(row: dict[str, Any]) -> float | None:
    words = row["target"].split()
    return float(words[1]) if len(words) > 1 and words[0] == "≥" else None


def _label(row: dict[str, Any]) -> str:
    """What was compared with what, short enough for a chart."""
    what, _, batch = row["what"].partition(", a batch of ")
    against = row["against"].removesuffix("'s SavedModel")
    text = f"SavedModel at {batch} / {against}" if batch else what
    return text if len(text) <= 48 else text[:46].rsplit(" ", 1)[0] + " …"


if __name__ == "__main__":
    main()
