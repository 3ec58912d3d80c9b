"""The canary: does each capability of a site still hold, by the videos that were walked?

A capability fails only where chance does not explain what was seen; where too little was seen to
tell, the verdict says why. Nothing here opens a page, so that runs, probes and simulations ask the
same function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, lgamma, log, log1p
from typing import Literal

from agent.drivers.base import ActiveVideo
from store.runs.ledger_lines import Video

Capability = Literal[
    "id", "order", "author", "caption", "counts", "ad", "live", "move", "like", "codec", "session"
]
Verdict = Literal["holds", "fails", "could not tell"]
FROM_RESPONSES = ("network", "inline")
"""Sources of what the feed's own responses said."""
FIRST_VIDEOS = 24
"""Videos that a canary looks at: with these, a capability that is lost by half is noticed."""
CHANCE = 1e-4
"""What is less likely than this, were the site as usual, is no chance."""
COUNTS = ("likes", "comments", "views")
LEAST_SHARE = 0.95
"""Of what every site gives: ids, places in the feed."""
LEAST_PLAYED = 0.8
LEAST_LIKE = 0.8


@dataclass(frozen=True)
class ShareBand:
    """Bounds of a share in any account's feed as it usually is."""

    least: float = 0.0
    most: float = 1.0


@dataclass(frozen=True)
class Expectations:
    """What a site's responses usually give."""

    given: Mapping[str, float] = field(default_factory=dict)
    """Fields of a video, and the least share of videos of which a response gives them."""
    shares: Mapping[str, ShareBand] = field(default_factory=dict)
    """Of ``ad`` and ``live``, the share of all videos that are one."""


@dataclass(frozen=True)
class WalkedVideo:
    """One video of a walk, as far as a canary needs it."""

    given: frozenset[str]
    """Fields that a response of the feed gave."""
    has_id: bool
    listed: bool
    """Whether a batch of the feed brought it."""
    ad: bool | None
    live: bool | None
    plays: bool | None
    """Whether its player showed moving pictures; ``None`` where it has no player."""
    moved: int | None = None
    """Videos forward since the last one; ``None`` where the page does not tell."""
    like_button: bool | None = None
    """``None`` where nobody looked."""

    @property
    def ordinary(self) -> bool:
        """Neither advertisement nor live card, which lack fields by nature, and shown."""
        return not self.ad and not self.live and self.plays is not False


@dataclass(frozen=True)
class CapabilityVerdict:
    """Whether one capability holds, and why."""

    capability: Capability
    verdict: Verdict
    why: str


def describe_walked(
    shown: ActiveVideo, video: Video, like_button: bool | None = None
) -> WalkedVideo:
    """Return what a canary needs of a video that was described."""
    given = {name for name, source in video.sources.items() if source in FROM_RESPONSES}
    return WalkedVideo(
        given=frozenset(given - {"id"}),
        has_id=shown.id is not None,
        listed=video.batch is not None,
        ad=video.ad,
        live=video.live,
        plays=shown.shown if shown.has_video else None,
        moved=shown.moved,
        like_button=like_button,
    )


def is_too_few(count: int, of: int, least: float) -> bool:
    """Whether a count is too low for a share of at least ``least`` (one-sided, exact)."""
    return _at_most(count, of, least) < CHANCE


def is_too_many(count: int, of: int, most: float) -> bool:
    """Whether a count is too high for a share of at most ``most`` (one-sided, exact)."""
    return _at_most(of - count, of, 1 - most) < CHANCE


def _at_most(count: int, of: int, share: float) -> float:
    """Probability of at most ``count`` of ``of`` independent ones, each with this share.

    That a bound lies outside the Clopper-Pearson interval is the same as this tail being small.
    """
    if not 0 < share < 1:
        return 1.0 if share <= 0 or count >= of else 0.0
    ways = [lgamma(of + 1) - lgamma(k + 1) - lgamma(of - k + 1) for k in range(count + 1)]
    return sum(exp(w + k * log(share) + (of - k) * log1p(-share)) for k, w in enumerate(ways))


def judge_walk(walk: Sequence[WalkedVideo], expects: Expectations) -> list[CapabilityVerdict]:
    """Return the verdicts on what a walk alone can tell; session is for the caller."""
    return [
        _judge_id(walk),
        _judge_order(walk),
        _judge_fields("author", ("author",), walk, expects),
        _judge_fields("caption", ("caption",), walk, expects),
        _judge_fields("counts", COUNTS, walk, expects),
        _judge_ads(walk, expects),
        _judge_live(walk, expects),
        _judge_moves(walk),
        _judge_like(walk),
        _judge_playing(walk),
    ]


def list_failures(verdicts: Sequence[CapabilityVerdict]) -> list[CapabilityVerdict]:
    return [one for one in verdicts if one.verdict == "fails"]


def _share(
    capability: Capability, count: int, of: int, least: float, what: str
) -> CapabilityVerdict:
    """Judge a share by a lower bound; nothing is told where even none of them would be chance."""
    why = f"{what} {count} of {of} videos"
    if is_too_few(count, of, least):
        why += f"; {least:.0%} or more are usual"
        return CapabilityVerdict(capability, "fails", why)
    if not is_too_few(0, of, least):
        return CapabilityVerdict(capability, "could not tell", f"{why}, which is too few to tell")
    return CapabilityVerdict(capability, "holds", why)


def _judge_id(walk: Sequence[WalkedVideo]) -> CapabilityVerdict:
    ordinary = [one for one in walk if one.ordinary]
    named = sum(one.has_id for one in ordinary)
    return _share("id", named, len(ordinary), LEAST_SHARE, "the page names")


def _judge_order(walk: Sequence[WalkedVideo]) -> CapabilityVerdict:
    known = [one for one in walk if one.ordinary and one.has_id]
    if not known:
        return CapabilityVerdict("order", "could not tell", "no video has an id to find it by")
    listed = sum(one.listed for one in known)
    return _share("order", listed, len(known), LEAST_SHARE, "the feed's responses list")


def _judge_fields(
    capability: Capability,
    names: Sequence[str],
    walk: Sequence[WalkedVideo],
    expects: Expectations,
) -> CapabilityVerdict:
    """Judge fields by the videos that a response names: the others are the order's failure."""
    expected = [name for name in names if name in expects.given]
    if not expected:
        return CapabilityVerdict(capability, "could not tell", "the adapter expects none")
    named = [one for one in walk if one.ordinary and one.given]
    if not named:
        why = "no response names a video that was shown"
        return CapabilityVerdict(capability, "could not tell", why)
    verdicts = []
    for name in expected:
        count = sum(name in one.given for one in named)
        what = f"responses give {name} of"
        verdicts.append(_share(capability, count, len(named), expects.given[name], what))
    return _worst(verdicts)


def _worst(verdicts: Sequence[CapabilityVerdict]) -> CapabilityVerdict:
    """Return one verdict of several on the same capability, with what made it so."""
    for verdict in ("fails", "could not tell", "holds"):
        alike = [one for one in verdicts if one.verdict == verdict]
        if alike:
            return CapabilityVerdict(
                alike[0].capability, alike[0].verdict, "; ".join(one.why for one in alike)
            )
    raise ValueError("no verdicts")


def _judge_ads(walk: Sequence[WalkedVideo], expects: Expectations) -> CapabilityVerdict:
    """Judge the mark of advertisements by the videos that the feed lists: those carry it."""
    band = _judge_band("ad", walk, expects)
    if "ad" not in expects.given or band.verdict == "fails":
        return band
    listed = [one for one in walk if one.ordinary and one.listed and one.given]
    if not listed:
        return CapabilityVerdict("ad", "could not tell", "no response lists a video that was shown")
    count = sum("ad" in one.given for one in listed)
    what = "responses say whether it is an ad of"
    field_ = _share("ad", count, len(listed), expects.given["ad"], what)
    return CapabilityVerdict("ad", field_.verdict, f"{field_.why}; {band.why}")


def _judge_live(walk: Sequence[WalkedVideo], expects: Expectations) -> CapabilityVerdict:
    if all(one.live is None for one in walk):
        why = "neither the page nor the responses mark live cards"
        return CapabilityVerdict("live", "could not tell", why)
    band = _judge_band("live", walk, expects)
    if band.verdict == "holds" and not any(one.live for one in walk):
        return CapabilityVerdict("live", "could not tell", f"{band.why}, as is usual")
    return band


def _judge_band(
    kind: Literal["ad", "live"], walk: Sequence[WalkedVideo], expects: Expectations
) -> CapabilityVerdict:
    """Judge how many are of a kind, within the band of the site's feeds."""
    band = expects.shares.get(kind, ShareBand())
    count, of = sum(bool(getattr(one, kind)) for one in walk), len(walk)
    words = {"ad": "advertisements", "live": "live cards"}[kind]
    why = f"{count} of {of} videos are {words}"
    usual = f"; {band.least:.0%} to {band.most:.0%} are usual"
    if is_too_few(count, of, band.least) or is_too_many(count, of, band.most):
        return CapabilityVerdict(kind, "fails", why + usual)
    if all(getattr(one, kind) is None for one in walk):
        return CapabilityVerdict(kind, "could not tell", "no video says whether it is one")
    return CapabilityVerdict(kind, "holds", why)


def _judge_moves(walk: Sequence[WalkedVideo]) -> CapabilityVerdict:
    told = [one.moved for one in walk[1:] if one.moved is not None]
    if not told:
        return CapabilityVerdict("move", "could not tell", "the page does not tell how far it went")
    right = sum(moved == 1 for moved in told)
    why = f"{right} of {len(told)} moves went on by exactly one"
    lost = is_too_few(right, len(told), LEAST_SHARE)
    return CapabilityVerdict("move", "fails" if lost else "holds", why)


def _judge_like(walk: Sequence[WalkedVideo]) -> CapabilityVerdict:
    looked = [one for one in walk if one.ordinary and one.like_button is not None]
    if not looked:
        return CapabilityVerdict("like", "could not tell", "nobody looked for the button")
    there = sum(bool(one.like_button) for one in looked)
    return _share("like", there, len(looked), LEAST_LIKE, "the button is there in")


def _judge_playing(walk: Sequence[WalkedVideo]) -> CapabilityVerdict:
    players = [one for one in walk if one.plays is not None]
    playing = sum(bool(one.plays) for one in players)
    return _share("codec", playing, len(players), LEAST_PLAYED, "moving pictures in")
