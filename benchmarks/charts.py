"""SVG charts: bars for ratios with their spread and target, and lines for growth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

_STYLE = (
    "<style>text{font:12px system-ui,sans-serif;fill:#57606a}.v{fill:#1f2328}rect{fill:#0072b2}"
    ".miss{fill:#d55e00}.t{stroke:#1f2328;stroke-width:2}.s{stroke:#57606a}.g{stroke:#d0d7de}"
    "polyline{fill:none;stroke:#0072b2;stroke-width:2}circle{fill:#0072b2}"
    "@media(prefers-color-scheme:dark){.v{fill:#e6edf3}text{fill:#9198a1}.t{stroke:#e6edf3}.g{stroke:#3d444d}}</style>"
)


def bars(rows: Sequence[tuple[str, float, float, float, float | None]]) -> str:
    """A bar chart of (label, ratio, lowest, highest, target) rows, on a logarithmic scale to fit 2 × and 20 ×."""
    top = max(max(high, target or 0) for _, _, _, high, target in rows)
    low = min(0.5, *(least for _, _, least, _, _ in rows)) / 1.2
    left, width = 330, 400

    def at(value: float) -> float:
        return left + width * math.log(max(value, low) / low) / math.log(top * 1.1 / low)

    parts = []
    for index, (label, value, least, most, target) in enumerate(rows):
        y = 12 + 28 * index
        miss = ' class="miss"' if target is not None and value < target else ""
        parts += [
            f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{escape(label)}</text>',
            f'<rect{miss} x="{left}" y="{y}" width="{at(value) - left:.1f}" height="16" rx="2"/>',
            f'<line class="s" x1="{at(least):.1f}" x2="{at(most):.1f}" y1="{y + 8}" y2="{y + 8}"/>',
            f'<text class="v" x="{at(max(most, target or 0)) + 8:.1f}" y="{y + 12}">{value:.3g} ×</text>',
        ]
        if target is not None:
            parts.append(f'<line class="t" x1="{at(target):.1f}" x2="{at(target):.1f}" y1="{y - 3}" y2="{y + 19}"/>')
    return _svg(820, 24 + 28 * len(rows), parts)


def line(title: str, xs: Sequence[float], ys: Sequence[float], unit: str) -> str:
    """A curve over a logarithmic axis of sizes."""
    left, top, width, height = 70, 34, 320, 150
    low, high = math.log(min(xs)), math.log(max(xs))
    most = max(ys) * 1.1
    points = [
        (left + width * (math.log(x) - low) / (high - low), top + height * (1 - y / most))
        for x, y in zip(xs, ys, strict=True)
    ]
    parts = [f'<text class="v" x="{left}" y="18">{escape(title)}</text>']
    for share in (0, 0.5, 1):
        y, value = top + height * (1 - share / 1.1), max(ys) * share
        parts += [
            f'<line class="g" x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}"/>',
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>',
        ]
    parts.append(f'<text x="{left + width}" y="{top - 2}" text-anchor="end">{escape(unit)}</text>')
    parts.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>')
    for (x, y), size in zip(points, xs, strict=True):
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>',
            f'<text x="{x:.1f}" y="{top + height + 18}" text-anchor="middle">{_number(size)}</text>',
        ]
    return _svg(left + width + 30, top + height + 28, parts)


def _number(value: float) -> str:
    return f"{value / 1000:.3g}k" if value >= 1000 else f"{value:.3g}"


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f"{_STYLE}{''.join(parts)}</svg>\n"
    )
