"""An adapter file: what is known of a site's page and addresses, as dated data in TOML.

Each group says in ``seen`` what the facts come from. Parsers stay code.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from agent.drivers.base import PageHooks, Wall, WallKind
from agent.errors import UserError
from agent.platforms.canary import Expectations, ShareBand
from agent.run_config import AdapterMark, FrozenValue
from store.untrusted.declared_files import read_declared

MOST_CHARACTERS = 300
"""Of one selector or one regular expression."""


class BadAdapter(UserError):
    """An adapter file that cannot be used, with the line at fault."""

    def __init__(self, path: Path, problem: str, line: int | None = None) -> None:
        self.path, self.line = path, line
        where = f"{path}:{line}" if line else str(path)
        super().__init__(f"{where}: {problem} Mend it, or type the same command without --adapter")


def _compiled(pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{pattern!r} is no regular expression ({error})") from None
    return pattern


def _one_group(pattern: str) -> str:
    if re.compile(_compiled(pattern)).groups != 1:
        raise ValueError(f"{pattern!r} needs one group, around what is wanted")
    return pattern


Text = Annotated[str, StringConstraints(min_length=1, max_length=MOST_CHARACTERS)]
Selectors = Annotated[tuple[Text, ...], Field(max_length=40)]
HostName = Annotated[Text, StringConstraints(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]
Pattern = Annotated[Text, AfterValidator(_compiled)]
Capturing = Annotated[Text, AfterValidator(_one_group)]
MoveWay = Literal[
    "button",
    "wheel",
    "scroll",
    "key:ArrowDown",
    "key:ArrowRight",
    "key:PageDown",
    "key:End",
    "key:Space",
    "key:j",
]
"""What the driver can do to move on: no key that likes, mutes or opens anything."""
DEFAULT_WAYS: tuple[MoveWay, ...] = ("button", "key:ArrowDown", "key:PageDown", "wheel", "scroll")
PageName = Literal["author", "caption"]
"""Fields that the page's own words fill."""
GivenName = Literal["author", "caption", "likes", "comments", "views", "ad"]
"""Fields of which a canary reads how often the responses give them."""
ShareName = Literal["ad", "live"]
"""Kinds of videos whose share a canary reads."""


class _Group(FrozenValue):
    seen: str = Field(min_length=1)
    """What the facts of the group come from: which capture or source, of which date."""


class FeedFacts(_Group):
    """Where the feed is, and which responses hold it."""

    url: Annotated[Text, StringConstraints(pattern=r"^https://")]
    hosts: Annotated[tuple[HostName, ...], Field(max_length=40)]
    """The site's own, each with all its subdomains; a whole top-level domain is none."""
    json_from: Annotated[Selectors, Field(min_length=1)]
    about_one: Selectors = ()
    inline: Selectors = ()
    renamed: dict[Text, Text] = Field(default_factory=dict)
    """Keys of the responses that the site has renamed since: the new one, and the one before."""

    @model_validator(mode="after")
    def _at_home(self) -> FeedFacts:
        host = urlsplit(self.url).hostname or ""
        if not any(host == own or host.endswith(f".{own}") for own in self.hosts):
            raise ValueError("url is on none of the site's own hosts")
        for old in self.renamed.values():
            if sum(other == old for other in self.renamed.values()) > 1:
                raise ValueError(f"renamed leads from two keys to {old}, so one would be lost")
        return self


class SessionFacts(_Group):
    """How the site knows its visitor."""

    login_url: Annotated[Text, StringConstraints(pattern=r"^https://")]
    cookies: Selectors
    needed: bool


class ItemFacts(_Group):
    """Which element is one video of the feed, and which one is active."""

    selectors: Annotated[Selectors, Field(min_length=1)]
    active: Selectors = ()
    index: str = ""
    """Attribute that counts the items."""


class AttributeRule(FrozenValue):
    """An attribute, and the one group of an expression over its value."""

    selector: Annotated[str, StringConstraints(max_length=MOST_CHARACTERS)]
    """Within the item; ``""`` for the item itself."""
    attribute: Text
    pattern: Capturing


class IdFacts(_Group):
    """What names the video."""

    attributes: tuple[AttributeRule, ...] = ()
    url: Capturing | None = None
    """Over the page's address."""


class MoveFacts(_Group):
    """How one moves on."""

    buttons: Selectors = ()
    ways: Annotated[tuple[MoveWay, ...], Field(min_length=1, max_length=40)] = DEFAULT_WAYS


class LikeFacts(_Group):
    """The button that likes, and what says that it was pressed."""

    buttons: Selectors
    pressed: Selectors = ()


class MarkFacts(_Group):
    """What marks a video visibly: an advertisement, a live card, a post of pictures."""

    selectors: Selectors


class PageField(_Group):
    """The page's own words, which fill what the responses leave out."""

    selector: Text | None = None
    link: AttributeRule | None = None
    """An attribute that says the same, where the text is not there."""

    @model_validator(mode="after")
    def _one_at_least(self) -> PageField:
        if self.selector is None and self.link is None:
            raise ValueError("selector or link is needed")
        return self


class TextRule(FrozenValue):
    """Visible elements whose text, or label, matches an expression, without regard to case."""

    selector: Text
    says: Pattern


class WallFacts(_Group):
    """Something that the site puts before its feed."""

    kind: WallKind
    urls: tuple[Pattern, ...] = ()
    selectors: Selectors = ()
    texts: tuple[TextRule, ...] = ()
    decline: tuple[TextRule, ...] = ()

    @model_validator(mode="after")
    def _shown_somehow(self) -> WallFacts:
        if not (self.urls or self.selectors or self.texts):
            raise ValueError("a wall needs urls, selectors or texts")
        if self.decline and self.kind != "consent":
            raise ValueError("decline is for consent only: nothing else is ever answered")
        return self

    def as_wall(self) -> Wall:
        texts, decline = (
            tuple((rule.selector, rule.says) for rule in rules)
            for rules in (self.texts, self.decline)
        )
        return Wall(self.kind, self.urls, self.selectors, texts, decline)


class LeastShare(_Group):
    """A field that the responses give of nearly every video."""

    least: float = Field(ge=0, le=1)


class DeclaredBand(_Group):
    """The share of all videos that are of a kind, in any account's feed."""

    least: float = Field(0.0, ge=0, le=1)
    most: float = Field(1.0, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> DeclaredBand:
        if self.least > self.most:
            raise ValueError(f"least ({self.least:g}) is above most ({self.most:g})")
        return self


class AdapterFile(FrozenValue):
    """A whole adapter file."""

    platform: str
    version: int = Field(ge=1)
    date: date
    feed: FeedFacts
    session: SessionFacts | None = None
    item: ItemFacts
    id: IdFacts
    move: MoveFacts
    like: LikeFacts | None = None
    ad: MarkFacts | None = None
    live: MarkFacts | None = None
    photos: MarkFacts | None = None
    page: dict[PageName, PageField] = Field(default_factory=dict)
    wall: tuple[WallFacts, ...] = ()
    given: dict[GivenName, LeastShare] = Field(default_factory=dict)
    share: dict[ShareName, DeclaredBand] = Field(default_factory=dict)

    def hooks(self) -> PageHooks:
        texts: dict[str, str] = {
            name: one.selector for name, one in self.page.items() if one.selector
        }
        links: dict[str, tuple[str, str, str]] = {
            name: _triple(one.link) for name, one in self.page.items() if one.link
        }
        return PageHooks(
            item=self.item.selectors,
            active=self.item.active,
            id_attributes=tuple(map(_triple, self.id.attributes)),
            url_id=self.id.url or "",
            index_attribute=self.item.index,
            next_buttons=self.move.buttons,
            moves=self.move.ways,
            like_buttons=self.like.buttons if self.like else (),
            liked=self.like.pressed if self.like else (),
            ad=self.ad.selectors if self.ad else (),
            live=self.live.selectors if self.live else (),
            photos=self.photos.selectors if self.photos else (),
            fields=texts,
            field_attributes=links,
            walls=tuple(wall.as_wall() for wall in self.wall),
            inline=self.feed.inline,
        )

    def expectations(self) -> Expectations:
        return Expectations(
            given={name: one.least for name, one in self.given.items()},
            shares={name: ShareBand(one.least, one.most) for name, one in self.share.items()},
        )


def _triple(rule: AttributeRule) -> tuple[str, str, str]:
    return rule.selector, rule.attribute, rule.pattern


def read_adapter(path: Path) -> tuple[AdapterFile, AdapterMark]:
    """Read an adapter file, and how the ledger names it.

    Raises
    ------
    BadAdapter
        It cannot be read or does not hold what an adapter needs; names the line.
    """
    adapter = read_declared(path, AdapterFile, BadAdapter)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return adapter, AdapterMark(version=adapter.version, date=adapter.date, sha256=digest)
