"""A recorded run as a platform: metadata comes from its ledger."""

from __future__ import annotations

from agent.drivers.base import PageHooks, SiteAnswer
from agent.platforms.base import Platform
from store.runs.recorded_names import REPLAY
from store.runs.records import Video


def _nothing(_: SiteAnswer) -> list[Video]:
    return []


PLATFORM = Platform(REPLAY, PageHooks(), (), _nothing, live=False, recorded=True, expected=())
