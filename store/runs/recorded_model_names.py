"""What names of models and platforms stand for in ledgers and answers, which outlive their code."""

from __future__ import annotations

REPLAY = "replay"
"""Platform that shows another run's videos again: no feed reacts to its judge."""
INVENTING = frozenset({"scripted"})
"""Providers whose models tell of a frame without a look at it."""


def split_model_name(name: str) -> tuple[str, str]:
    """Return a model's provider and the provider's own name of it, which may hold slashes."""
    provider, _, model = name.partition("/")
    return provider, model


def invents(model: str) -> bool:
    """Tell whether what a model says of frames is made up."""
    return split_model_name(model)[0] in INVENTING


def warn_made_up(*models: str) -> str:
    """Return the sentence that stands over what such models made; empty where all of them look."""
    names = list(dict.fromkeys(name for name in models if invents(name)))
    if not names:
        return ""
    verb = "tell" if len(names) > 1 else "tells"
    return f"MADE UP: {' and '.join(names)} {verb} of a frame without a look at it."
