"""Walks a few videos of a site, and tells which of its capabilities hold, and which hooks.

The report holds no caption, no name and no id, so that it can be pasted into an issue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.drivers.base import ActiveVideo, Arrival, PageHooks
from agent.errors import ActionNotConfirmed, RunFault
from agent.platforms.base import Platform
from agent.platforms.canary import (
    CapabilityVerdict,
    WalkedVideo,
    describe_walked,
    judge_walk,
)
from agent.provenance import provenance
from agent.run.environment import OpenedFeed, RunBrowser, load_described, open_feed
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

    platform: Platform
    browser: str = ""
    with_account: bool = False
    signed_in: bool | None = None
    walk: list[WalkedVideo] = field(default_factory=list)
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
    stuck: bool = False
    """Whether no action moved the feed on."""
    events: list[str] = field(default_factory=list)
    """What the page reported by itself, and which fallback took over."""

    def verdicts(self, codecs: dict[str, bool]) -> list[CapabilityVerdict]:
        """Return whether each capability holds; ``codecs`` are those that the browser plays."""
        judged = [*judge_walk(self.walk, self.platform.expects), self._judge_session()]
        return [self._explained(one, codecs) for one in judged]

    def _judge_session(self) -> CapabilityVerdict:
        if self.signed_in is None:
            return CapabilityVerdict("session", "could not tell", "the site has no accounts")
        if self.signed_in:
            return CapabilityVerdict("session", "holds", "the account is signed in")
        if self.with_account:
            return CapabilityVerdict("session", "fails", "the account is not signed in")
        return CapabilityVerdict("session", "could not tell", "watched as a guest")

    def _explained(self, one: CapabilityVerdict, codecs: dict[str, bool]) -> CapabilityVerdict:
        """Add what the walk alone does not show: a feed that stood still, a missing codec."""
        if one.capability == "move" and self.stuck:
            return CapabilityVerdict("move", "fails", "no action moved the feed on")
        lacking = [name for name, plays in codecs.items() if not plays]
        if one.capability == "codec" and one.verdict == "fails" and lacking:
            why = f"{one.why}; the browser plays no {lacking[0]}: use an installed Chrome"
            return CapabilityVerdict("codec", "fails", why)
        return one

    def report(self, codecs: dict[str, bool]) -> str:
        made = provenance()
        session = {True: "signed in", False: "guest", None: "no accounts"}[self.signed_in]
        plays = ", ".join(
            f"{name} {'plays' if can else '**does not play**'}" for name, can in codecs.items()
        )
        lines = [
            f"### feedsway probe of {self.platform.name}",
            "",
            f"feedsway {made.code_version}, {self.browser} on {made.system}; {session}; {plays}.",
            f"{count_of(self.videos, 'video')}, {self.excluded} of them ads or live{self._by()}.",
            "",
            "| capability | verdict | why |",
            "| --- | --- | --- |",
            *(f"| {one.capability} | {one.verdict} | {one.why} |" for one in self.verdicts(codecs)),
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
            *(f"Note: {event}" for event in self.events),
        ]
        return "\n".join(lines)

    def _by(self) -> str:
        mark = self.platform.adapter
        if mark is None:
            return ""
        whose = "a file of your own" if mark.own else "feedsway's own"
        return f"; adapter version {mark.version} of {mark.date}, {whose}"

    def _field(self, name: str) -> str:
        sources = {source: n for (field_, source), n in self.fields.items() if field_ == name}
        where = ", ".join(f"{source} {n}" for source, n in sources.items()) or "–"
        return f"| {name} | {sum(sources.values())} of {self.videos} | {where} |"


def list_selectors(hooks: PageHooks) -> dict[str, str]:
    """Return the selectors of an adapter's hooks, by a name that tells their kind."""
    attributes = {name: one for name, (one, _, _) in hooks.field_attributes.items() if one}
    kinds = {
        "item": hooks.item,
        "active": hooks.active,
        "id": tuple(selector for selector, _, _ in hooks.id_attributes if selector),
        "next": hooks.next_buttons,
        "like": hooks.like_buttons,
        "liked": hooks.liked,
        "ad": hooks.ad,
        "live": hooks.live,
        "photos": hooks.photos,
        **{name: (selector,) for name, selector in hooks.fields.items()},
        **{f"{name} by attribute": (selector,) for name, selector in attributes.items()},
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
    probe = SiteProbe(load_described(config), with_account=config.account is not None)
    async with AsyncExitStack() as stack:
        opened = await open_feed(config, run_browser, "probe", 0, stack)
        probe.platform = opened.platform  # of a recording, the recorded site
        opened.feed.watches = False  # it walks on where a run would end, to see what else fails
        probe.browser, probe.signed_in = opened.driver.browser, opened.signed_in
        try:
            await _walk(opened, probe, videos, hands, tell)
        except RunFault as fault:
            probe.stuck = isinstance(fault, ActionNotConfirmed)
            probe.faults.append(f"{type(fault).__name__}: {fault}")
        probe.events = [f"{event.kind}: {event.message}" for event in opened.driver.events()][:5]
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
    likes = [bool(count) for name, count in counts.items() if name.startswith("like: ")]
    probe.walk.append(describe_walked(shown, video, any(likes) if likes else None))
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
