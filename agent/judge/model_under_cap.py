"""What stands between a judge and a model that costs something: the cap, and the kept replies."""

from __future__ import annotations

from pathlib import Path

from agent.judge.reply_cache import Cached, ReplyFiles
from agent.judge.spending_cap import Budgeted, SpendingCap
from agent.models.base import Model
from agent.models.paid_calls import CappedAccounts

NO_CAP = SpendingCap()


def is_free(model: Model) -> bool:
    """Tell whether a model uses nothing that is counted."""
    return not model.capabilities.uses_tokens


def guarded(model: Model, cap: SpendingCap, till: CappedAccounts, kept: Path) -> Model:
    """Put book and cap around the model, and the cache around both: a kept reply is free."""
    if is_free(model):
        return model  # and as quick as the cache would be
    replies = ReplyFiles(kept, till)
    return Cached(Budgeted(model, cap, till, replies), replies)
