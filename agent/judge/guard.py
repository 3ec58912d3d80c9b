"""What stands between a judge and a model that costs something: the cap, and the kept replies.

Refuses to know who asks and where usages are kept.
"""

from __future__ import annotations

from pathlib import Path

from agent.judge.budget import Budgeted, SpendingCap
from agent.judge.reply_cache import Cached
from agent.judge.reply_files import ReplyFiles
from agent.models.base import Model
from agent.models.metering import CappedAccounts

NO_CAP = SpendingCap()


def is_free(model: Model) -> bool:
    """Tell whether a model uses nothing that is counted; one made of several says so itself."""
    family = model.name.partition("/")[0]
    return bool(getattr(model, "free", family in ("embedded", "scripted")))


def guarded(model: Model, cap: SpendingCap, till: CappedAccounts, kept: Path) -> Model:
    """Put the book and the cap around the model, and around both the cache: a kept reply is free.

    Parameters
    ----------
    till
        Where the calls are booked, and which accounts the cap is on.
    kept
        Folder of the kept replies.
    """
    if is_free(model):
        return model  # and as quick as the cache would be
    replies = ReplyFiles(kept, till)
    return Cached(Budgeted(model, cap, till, replies), replies)
