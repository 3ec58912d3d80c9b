"""What stands between a judge and a model that costs something: the cap, and the kept replies.

Refuses to know who asks and where usages are kept.
"""

from __future__ import annotations

from pathlib import Path

from agent.models.base import Model
from agent.models.budget import Account, Budgeted, Cap
from agent.models.cache import Cached

NO_CAP = Cap()


def guarded(model: Model, cap: Cap, before: Account, kept: Path) -> Model:
    """Put the cap around the model, and around it the cache: a kept reply costs nothing.

    Parameters
    ----------
    before
        What was spent already, where this is a restart.
    kept
        Folder of the kept replies.
    """
    if cap != NO_CAP:
        model = Budgeted(model, cap, before)
    if model.name.partition("/")[0] in ("embedded", "scripted"):
        return model  # as quick as the cache would be
    return Cached(model, kept)
