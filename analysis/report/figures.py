"""Figures as inline SVG: coordinates in, markup out.

Each fills the width that it is given: coordinates are percentages, so that text beside them keeps
its size on a telephone. Areas and curves lie in a nested drawing that is stretched, with strokes
that are not. Colours are the page's own variables, so that they follow dark mode and print.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from analysis.report.number_sources import MINUS
from analysis.statistics.estimate import Estimate, Floats

_STEPS = (1.0, 2.0, 5.0, 10.0)
_BARS = 48
_SIDE, _WIDE, _RADIUS = 360, 468, 118  # of a radar
_RINGS = (25, 50, 75, 100)


def _round_step(span: float, ticks: int) -> float:
    """Distance of ticks that is 1, 2 or 5 times a power of ten."""
    size = 10 ** math.floor(math.log10(span / ticks))
    return float(size * next(step for step in _STEPS if step * size * ticks >= span * 0.999))


@dataclass(frozen=True)
class AxisScale:
    """A linear axis that ends on round numbers."""

    low: float
    high: float
    step: float

    @classmethod
    def around(cls, values: Sequence[float], *, ticks: int = 6) -> AxisScale:
        """An axis that holds these values and 0, with about this many ticks."""
        known = [value for value in values if math.isfinite(value)] + [0.0]
        low, high = min(known), max(known)
        high = high if high > low else low + 1
        span = high - low
        step = _round_step(span, ticks)
        return cls(step * math.floor(low / step), step * math.ceil(high / step), step)

    @classmethod
    def counting(cls, length: int) -> AxisScale:
        """An axis from 0 to a count, with ticks at round numbers."""
        return cls(0, length, max(1, _round_step(length, 6)))

    def at(self, value: float) -> float:
        """Place of a value, in % of the axis; kept within it."""
        return 100 * min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    @property
    def ticks(self) -> list[float]:
        count = math.floor((self.high - self.low) / self.step + 1e-6)
        return [self.low + self.step * index for index in range(count + 1)]


@dataclass(frozen=True)
class Span:
    """A value with its interval, to be drawn; nan where there is none."""

    value: float
    low: float
    high: float


def span(estimate: Estimate) -> Span:
    return Span(estimate.value, estimate.low, estimate.high)


def ends(estimates: Sequence[Estimate]) -> list[float]:
    return [end for told in estimates for end in (told.value, told.low, told.high)]


@dataclass(frozen=True)
class Line:
    """A curve with its band: x from 0 to 1, y in units of the scale."""

    style: str
    x: Floats
    y: Floats
    low: Floats
    high: Floats


def axis(scale: AxisScale, title: str = "") -> Markup:
    """The ticks below a figure, as text, with what they count."""
    spans = Markup("").join(
        Markup('<span style="left:{:.2f}%">{}</span>').format(scale.at(tick), _plain(tick))
        for tick in scale.ticks
    )
    below = Markup("<p>{}</p>").format(title) if title else Markup("")
    return Markup(
        '<div class="axis" aria-hidden="true"><div class="ticks">{}</div>{}</div>'
    ).format(spans, below)


def interval(span: Span, scale: AxisScale, style: str = "treatment") -> Markup:
    """One dot with its whiskers, over a line at 0 and one at each tick."""
    return _drawing(_grid(scale) + _whisker(span, scale, 50, style), 22, "row")


def strip(span: Span, null: Span, scale: AxisScale, style: str = "treatment") -> Markup:
    """A value over the range where it would lie if nothing happened."""
    marks = _grid(scale)
    if math.isfinite(null.low):
        left, right = scale.at(null.low), scale.at(null.high)
        marks += _rect("null", left, 30, right - left, 40)
        marks += _upright("null-mean", scale.at(null.value), 30, 70)
    return _drawing(marks + _whisker(span, scale, 50, style), 44, "strip")


def hump(drawn: Floats, observed: Span, scale: AxisScale) -> Markup:
    """What is drawn if nothing happens, and above it what was observed, in units of the scale."""
    counts, edges = np.histogram(drawn, bins=_BARS, range=(scale.low, scale.high))
    heights = counts / max(counts.max(initial=1), 1)
    points = [(0.0, 0.0)]
    for height, left, right in zip(heights, edges[:-1], edges[1:], strict=True):
        points += [(scale.at(left), height), (scale.at(right), height)]
    points.append((100.0, 0.0))
    path = " ".join(f"{x:.2f},{100 - 58 * y:.2f}" for x, y in points)
    shape = Markup(
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" width="100%" height="100%">'
        '<polygon class="null" points="{}"/></svg>'
    ).format(path)
    marks = _grid(scale) + shape + _whisker(observed, scale, 22, "treatment strong")
    return _drawing(marks, 170, "hump")


def curves(
    lines: Sequence[Line], scale: AxisScale, shades: Sequence[tuple[float, float]]
) -> Markup:
    """Curves with bands over shaded windows, whose ends are given from 0 to 1."""
    marks = Markup("").join(_rect("shade", 100 * a, 0, 100 * (b - a), 100) for a, b in shades)
    for tick in scale.ticks:
        y = 100 - scale.at(tick)
        marks += Markup('<line class="grid" x1="0" x2="100%" y1="{0:.2f}%" y2="{0:.2f}%"/>').format(
            y
        )
    inner = Markup("").join(_band(line, scale) for line in lines)
    inner += Markup("").join(_curve(line, scale) for line in lines)
    stretched = Markup(
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" width="100%" height="100%">{}</svg>'
    ).format(inner)
    return _drawing(marks + stretched, 260, "curves")


def dumbbell(left: float, right: float, scale: AxisScale) -> Markup:
    """Two values on one line: a hollow dot and a full one."""
    a, b = scale.at(left), scale.at(right)
    marks = _grid(scale)
    marks += Markup(
        '<line class="bar" x1="{:.2f}%" x2="{:.2f}%" y1="50%" y2="50%"/>'
        '<circle class="hollow" cx="{:.2f}%" cy="50%" r="5"/>'
        '<circle class="dot treatment" cx="{:.2f}%" cy="50%" r="5.5"/>'
    ).format(min(a, b), max(a, b), a, b)
    return _drawing(marks, 26, "row")


def sample(style: str) -> Markup:
    return Markup(
        '<svg class="sample" width="30" height="12" aria-hidden="true">'
        '<line class="curve {0}" x1="1" x2="29" y1="6" y2="6"/>'
        '<circle class="dot {0}" cx="15" cy="6" r="3.5"/></svg>'
    ).format(style)


def radar(names: Sequence[str], first: Sequence[Estimate], second: Sequence[Estimate]) -> Markup:
    """Scores from 0 at the centre to 100 at the rim: the first as a surface, the second dashed.

    The names are text over the drawing: they keep their size where the drawing is small.
    """
    count = len(names)
    marks, labels = Markup(""), Markup("")
    for ring in _RINGS:
        marks += Markup('<polygon class="ring" points="{}"/>').format(_web([ring] * count))
    for place, name in enumerate(names):
        x, y = _spoke(place, count, 100)
        marks += Markup('<line class="ring" x1="0" y1="0" x2="{:.1f}" y2="{:.1f}"/>').format(x, y)
        labels += _spoke_name(name, place, count)
    for scores, style in ((second, "dashed"), (first, "surface")):
        known = [0.0 if math.isnan(each.value) else each.value for each in scores]
        marks += Markup('<polygon class="{}" points="{}"/>').format(style, _web(known))
    for place, score in enumerate(first):
        if score.exists:
            x, y = _spoke(place, count, score.value)
            marks += Markup('<circle class="dot treatment" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(
                x, y
            )
    box = f"{-_WIDE / 2:.0f} {-_SIDE / 2:.0f} {_WIDE:.0f} {_SIDE}"
    drawn = Markup('<svg viewBox="{}" role="img" aria-label="{}">{}</svg>').format(
        box, "Scores by value as a radar", marks
    )
    return Markup('<div class="radar">{}{}</div>').format(drawn, labels)


def _drawing(marks: Markup, height: int, style: str) -> Markup:
    return Markup(
        '<svg class="figure {}" width="100%" height="{}" aria-hidden="true" focusable="false">'
        "{}</svg>"
    ).format(style, height, marks)


def _grid(scale: AxisScale) -> Markup:
    lines = Markup("").join(_upright("grid", scale.at(tick), 0, 100) for tick in scale.ticks)
    return lines + _upright("zero", scale.at(0), 0, 100)


def _upright(style: str, x: float, top: float, bottom: float) -> Markup:
    return Markup(
        '<line class="{0}" x1="{1:.2f}%" x2="{1:.2f}%" y1="{2:.0f}%" y2="{3:.0f}%"/>'
    ).format(style, x, top, bottom)


def _rect(style: str, left: float, top: float, width: float, height: float) -> Markup:
    return Markup(
        '<rect class="{}" x="{:.2f}%" y="{:.0f}%" width="{:.2f}%" height="{:.0f}%"/>'
    ).format(style, left, top, width, height)


def _whisker(span: Span, scale: AxisScale, y: float, style: str) -> Markup:
    if not math.isfinite(span.value):
        return Markup("")
    marks = Markup("")
    if math.isfinite(span.low) and math.isfinite(span.high):
        marks += Markup(
            '<line class="whisker {0}" x1="{1:.2f}%" x2="{2:.2f}%" y1="{3:.0f}%" y2="{3:.0f}%"/>'
        ).format(style, scale.at(span.low), scale.at(span.high), y)
    radius = 8 if "strong" in style else 5
    return marks + Markup('<circle class="dot {}" cx="{:.2f}%" cy="{:.0f}%" r="{}"/>').format(
        style, scale.at(span.value), y, radius
    )


def _points(x: Floats, y: Floats, scale: AxisScale) -> list[str]:
    return [f"{100 * a:.2f},{100 - scale.at(b):.2f}" for a, b in zip(x, y, strict=True)]


def _band(line: Line, scale: AxisScale) -> Markup:
    shapes = Markup("")
    for part in _runs(np.isfinite(line.low) & np.isfinite(line.high)):
        up = _points(line.x[part], line.high[part], scale)
        down = _points(line.x[part], line.low[part], scale)
        shapes += Markup('<polygon class="band {}" points="{}"/>').format(
            line.style, " ".join([*up, *reversed(down)])
        )
    return shapes


def _curve(line: Line, scale: AxisScale) -> Markup:
    """The curve, and a dot at each point (a stroke of no length, which is not stretched)."""
    shapes = Markup("")
    for part in _runs(np.isfinite(line.y)):
        points = _points(line.x[part], line.y[part], scale)
        shapes += Markup('<polyline class="curve {}" points="{}"/>').format(
            line.style, " ".join(points)
        )
        dots = " ".join(f"M{point}h0" for point in points)
        shapes += Markup('<path class="dots {}" d="{}"/>').format(line.style, dots)
    return shapes


def _runs(known: NDArray[np.bool_]) -> list[slice]:
    """Slices of consecutive points that are known."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(int)))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _plain(value: float) -> str:
    return f"{value:g}".replace("-", MINUS) if abs(value) > 1e-9 else "0"


def _spoke(place: int, count: int, score: float) -> tuple[float, float]:
    turn = 2 * math.pi * place / count
    reach = _RADIUS * score / 100
    return reach * math.sin(turn), -reach * math.cos(turn)


def _web(scores: Sequence[float]) -> str:
    points = (_spoke(place, len(scores), score) for place, score in enumerate(scores))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _spoke_name(name: str, place: int, count: int) -> Markup:
    x, y = _spoke(place, count, 112)
    anchor = "middle" if abs(x) < 10 else ("start" if x > 0 else "end")
    if anchor == "middle":
        x, y = _spoke(place, count, 120)  # clear of those at its sides
    left, top = 50 + 100 * x / _WIDE, 50 + 100 * y / _SIDE
    return Markup('<span class="{}" style="left: {:.2f}%; top: {:.2f}%">{}</span>').format(
        anchor, left, top, name
    )
