"""Figures of a spectrum as inline SVG: the radar, and a contact sheet's pictures.

Colours are the page's own variables.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence

from markupsafe import Markup

from analysis.report.pictures import small_jpeg
from analysis.statistics.estimate import Estimate
from store.frames.frame_store import FrameStore
from store.results.value_spectrum import RetrievedFrame

_SIDE, _RADIUS = 360, 118
_RINGS = (25, 50, 75, 100)
_PICTURE = (108, 192)


def radar(names: Sequence[str], first: Sequence[Estimate], second: Sequence[Estimate]) -> Markup:
    """Scores from 0 at the centre to 100 at the rim: the first as a surface, the second dashed."""
    count = len(names)
    marks = Markup("")
    for ring in _RINGS:
        marks += Markup('<polygon class="ring" points="{}"/>').format(_path([ring] * count))
    for place, name in enumerate(names):
        x, y = _at(place, count, 100)
        marks += Markup('<line class="ring" x1="0" y1="0" x2="{:.1f}" y2="{:.1f}"/>').format(x, y)
        marks += _name(name, place, count)
    for scores, style in ((second, "dashed"), (first, "surface")):
        known = [0.0 if math.isnan(each.value) else each.value for each in scores]
        marks += Markup('<polygon class="{}" points="{}"/>').format(style, _path(known))
    for place, score in enumerate(first):
        if score.exists:
            x, y = _at(place, count, score.value)
            marks += Markup('<circle class="dot treatment" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(
                x, y
            )
    box = f"{-1.3 * _SIDE / 2:.0f} {-_SIDE / 2:.0f} {1.3 * _SIDE:.0f} {_SIDE}"
    return Markup('<svg class="radar" viewBox="{}" role="img" aria-label="{}">{}</svg>').format(
        box, "Scores by value as a radar", marks
    )


def pictures(found: Sequence[RetrievedFrame], frames: FrameStore) -> tuple[Markup, ...]:
    """What was found as small pictures, best first; a frame that is lost is a gap."""
    return tuple(_picture(hit, small_jpeg(frames, hit.frame, _PICTURE)) for hit in found)


def _picture(hit: RetrievedFrame, small: bytes | None) -> Markup:
    told = f"{hit.rank}. {hit.caption or 'no caption'} (stands out by {hit.match:.1f})"
    if small is None:
        return Markup('<span class="lost" title="{}">lost</span>').format(told)
    return Markup('<img class="{}" src="data:image/jpeg;base64,{}" alt="{}" title="{}"/>').format(
        "fits" if hit.fits else "unfit",
        base64.b64encode(small).decode(),
        hit.caption or "no caption",
        told,
    )


def _at(place: int, count: int, score: float) -> tuple[float, float]:
    turn = 2 * math.pi * place / count
    reach = _RADIUS * score / 100
    return reach * math.sin(turn), -reach * math.cos(turn)


def _path(scores: Sequence[float]) -> str:
    points = (_at(place, len(scores), score) for place, score in enumerate(scores))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _name(name: str, place: int, count: int) -> Markup:
    x, y = _at(place, count, 112)
    anchor = "middle" if abs(x) < 10 else ("start" if x > 0 else "end")
    return Markup('<text x="{:.1f}" y="{:.1f}" dy=".35em" text-anchor="{}">{}</text>').format(
        x, y, anchor, name
    )
