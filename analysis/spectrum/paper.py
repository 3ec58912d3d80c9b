"""Scores that Value-Spectrum reports (ACL 2025), for comparison.

They come from other frames, of another time, found with another index, so they compare as shapes
and not as levels.
"""

from __future__ import annotations

MEAN = {
    "universalism": 73.3,
    "benevolence": 73.3,
    "tradition": 72.8,
    "self-direction": 70.5,
    "conformity": 68.8,
    "hedonism": 66.8,
    "achievement": 64.5,
    "power": 64.0,
    "security": 60.5,
    "stimulation": 55.0,
}
"""Mean over models by value."""

_SIX = ("self-direction", "universalism", "benevolence", "stimulation", "power", "achievement")
_SCORES = {
    "GPT-4o": (78, 90, 88, 56, 80, 86),
    "Gemini 2.0 Flash": (84, 90, 86, 92, 94, 92),
    "Claude 3.5 Sonnet": (70, 70, 68, 34, 50, 60),
    "CogVLM2": (80, 80, 80, 74, 90, 72),
    "BLIP-2": (72, 78, 68, 48, 28, 48),
    "InternVL2": (44, 54, 44, 28, 32, 38),
}
MODELS = {
    name: dict(zip(_SIX, map(float, scores), strict=True)) for name, scores in _SCORES.items()
}
"""Scores of single models, for the six values that are reported of them."""


def spread(value: str) -> tuple[float, float] | None:
    """Lowest and highest score of a single model, where they are reported."""
    known = [scores[value] for scores in MODELS.values() if value in scores]
    return (min(known), max(known)) if known else None
