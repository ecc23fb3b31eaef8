"""A picture of metrics over time: one panel below the other, as SVG."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, PANEL, LEFT, GAP = 760, 110, 60, 34

Points = Sequence[tuple[float, float]]
"""Seconds and value."""


def picture(panels: Sequence[tuple[str, Points]], *, seconds: float) -> str:
    """Draw panels with their titles; each has a scale of its own, from 0 to its highest value."""
    step = PANEL + GAP + 16
    body = "".join(
        _panel(GAP + place * step, title, points, seconds=seconds)
        for place, (title, points) in enumerate(panels)
    )
    height = GAP + len(panels) * step
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12" fill="#444">'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{body}</svg>\n'
    )


def _panel(top: float, title: str, points: Points, *, seconds: float) -> str:
    highest = max(value for _, value in points) or 1.0
    x_per_s = (WIDTH - LEFT - 20) / seconds
    line = " ".join(
        f"{LEFT + at_s * x_per_s:.1f},{top + PANEL * (1 - max(0.0, value) / highest):.1f}"
        for at_s, value in points
    )
    ticks = "".join(
        f'<text x="{LEFT + second * x_per_s:.0f}" y="{top + PANEL + 16}" text-anchor="middle">'
        f"{second} s</text>"
        for second in range(0, int(seconds) + 1, 2)
    )
    return (
        f'<text x="{LEFT}" y="{top - 8}" font-weight="bold">{title}</text>'
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - 20}" height="{PANEL}" fill="none" '
        'stroke="#bbb"/>'
        f'<text x="{LEFT - 6}" y="{top + 10}" text-anchor="end">{highest:.0f}</text>'
        f'<text x="{LEFT - 6}" y="{top + PANEL}" text-anchor="end">0</text>'
        f'<polyline points="{line}" fill="none" stroke="#00796b" stroke-width="1.6"/>{ticks}'
    )
