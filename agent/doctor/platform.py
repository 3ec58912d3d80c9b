"""Walks a few videos of a site, and tells which of the adapter's hooks held.

The report holds no caption, no name and no id, so that it can be pasted into an issue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.drivers.base import ActiveVideo, Arrival, PageHooks
from agent.errors import RunFault
from agent.provenance import provenance
from agent.run.environment import OpenedFeed, RunBrowser, open_feed
from agent.run_config import RunConfig
from store.runs.ledger_lines import Video
from store.terminal.printing import count_of

if TYPE_CHECKING:
    from agent.run.pacing import SlowHands

WATCH_S = 3.0
FIELDS = ("url", "author", "caption", "hashtags", "likes", "comments", "views", "duration_s")


@dataclass
class SiteProbe:
    """What was found of a site."""

    platform: str
    browser: str = ""
    signed_in: bool | None = None
    videos: int = 0
    excluded: int = 0
    """Advertisements and live cards among them."""
    hooks: Counter[str] = field(default_factory=Counter)
    """Videos during which a hook matched something, by kind and selector."""
    tried: tuple[str, ...] = ()
    fields: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Videos that have a field, by its name and source."""
    moves: Counter[str] = field(default_factory=Counter)
    jumps: int = 0
    """Moves that were not by exactly one."""
    faults: list[str] = field(default_factory=list)

    def report(self, codecs: dict[str, bool]) -> str:
        made = provenance()
        session = {True: "signed in", False: "guest", None: "no accounts"}[self.signed_in]
        plays = ", ".join(
            f"{name} {'plays' if can else '**does not play**'}" for name, can in codecs.items()
        )
        lines = [
            f"### feedsway probe of {self.platform}",
            "",
            f"feedsway {made.code_version}, {self.browser} on {made.system}; {session}; {plays}.",
            f"{count_of(self.videos, 'video')}, {self.excluded} of them ads or live.",
            "",
            "| hook | held |",
            "| --- | --- |",
            *(f"| `{hook}` | {self.hooks[hook]} of {self.videos} |" for hook in self.tried),
            "",
            "| field | found | where |",
            "| --- | --- | --- |",
            *(self._field(name) for name in ("id", *FIELDS)),
            "",
            "Moves: "
            + (", ".join(f"{how} {n}" for how, n in self.moves.items()) or "none")
            + (f"; {self.jumps} not by exactly one." if self.jumps else "."),
            *(f"Fault: {fault}" for fault in self.faults),
        ]
        return "\n".join(lines)

    def _field(self, name: str) -> str:
        sources = {source: n for (field_, source), n in self.fields.items() if field_ == name}
        where = ", ".join(f"{source} {n}" for source, n in sources.items()) or "–"
        return f"| {name} | {sum(sources.values())} of {self.videos} | {where} |"


def list_selectors(hooks: PageHooks) -> dict[str, str]:
    """Return the selectors of an adapter's hooks, by a name that tells their kind."""
    kinds = {
        "item": hooks.item,
        "id": tuple(selector for selector, _, _ in hooks.id_attributes if selector),
        "next": hooks.next_buttons,
        "like": hooks.like_buttons,
        "ad": hooks.ad,
        "live": hooks.live,
        **{name: (selector,) for name, selector in hooks.fields.items()},
    }
    return {f"{kind}: {one}": one for kind, several in kinds.items() for one in several}


async def probe_site(
    config: RunConfig,
    run_browser: RunBrowser,
    videos: int,
    hands: SlowHands,
    tell: Callable[[int], None],
) -> SiteProbe:
    """Walk so many videos. A fault ends the walk and is part of what was found."""
    probe = SiteProbe(config.platform)
    async with AsyncExitStack() as stack:
        opened = await open_feed(config, run_browser, "probe", 0, stack)
        probe.browser, probe.signed_in = opened.driver.browser, opened.signed_in
        try:
            await _walk(opened, probe, videos, hands, tell)
        except RunFault as fault:
            probe.faults.append(f"{type(fault).__name__}: {fault}")
        probe.faults += [f"{event.kind}: {event.message}" for event in opened.driver.events()][:5]
    return probe


async def _walk(
    opened: OpenedFeed, probe: SiteProbe, videos: int, hands: SlowHands, tell: Callable[[int], None]
) -> None:
    named = list_selectors(opened.platform.hooks)
    probe.tried = tuple(named)
    driver = opened.driver
    await hands.before_action()
    shown = await driver.open(opened.url)
    while True:
        video = opened.feed.describe(shown)
        counts = await driver.count(list(named.values()))
        _note(probe, shown, video, dict(zip(named, counts, strict=True)))
        tell(probe.videos)
        await driver.watch(shown, WATCH_S)
        if probe.videos >= videos:
            return
        await hands.before_action()
        arrival = await driver.next(shown)
        _moved(probe, arrival)
        shown = arrival.shown


def _note(probe: SiteProbe, shown: ActiveVideo, video: Video, counts: dict[str, int]) -> None:
    probe.videos += 1
    probe.excluded += bool(video.ad or video.live)
    probe.hooks.update(name for name, count in counts.items() if count)
    if shown.id is not None:
        probe.fields[("id", shown.id_source or "page")] += 1
    for name in FIELDS:
        if getattr(video, name) not in (None, ()):
            probe.fields[(name, video.sources.get(name, "page"))] += 1


def _moved(probe: SiteProbe, arrival: Arrival) -> None:
    probe.moves[arrival.action] += 1
    probe.jumps += arrival.shown.moved not in (None, 1)
