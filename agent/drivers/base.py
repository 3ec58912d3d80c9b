"""The seam between run loop and browser: what hands and eyes do, and report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

WallKind = Literal["consent", "login", "challenge", "age", "inactivity", "rate_limit", "error"]


@dataclass(frozen=True)
class Wall:
    """Something that a site puts before its feed, known by addresses and visible elements.

    Words that a page merely contains never make a wall. Open shadow roots and frames are searched.
    """

    kind: WallKind
    urls: tuple[str, ...] = ()
    """Regular expressions over the address of the page or of a visible frame."""
    selectors: tuple[str, ...] = ()
    """One visible match is enough."""
    texts: tuple[tuple[str, str], ...] = ()
    """(selector, regular expression over the text of a visible match, without regard to case)."""
    decline: tuple[tuple[str, str], ...] = ()
    """For consent: the buttons of the privacy-preserving choice, (selector, expression over text
    and label), in the order in which they are tried. Nothing else is ever answered."""


@dataclass(frozen=True)
class PageHooks:
    """What a platform knows of its page. Each tuple is in order of trust; empty means not known.

    With no hooks at all the generic rules still find, show and move videos, by geometry.
    """

    item: tuple[str, ...] = ()
    active: tuple[str, ...] = ()
    """Selectors of the player whose video is the active one; without, geometry decides."""
    id_attributes: tuple[tuple[str, str, str], ...] = ()
    """(selector within the item or ``""`` for itself, attribute, regular expression with one
    group) that give the platform's id of the video."""
    url_id: str = ""
    """Regular expression with one group over the page's URL. Believed once the address and the
    video have both changed: one may lag behind the other."""
    index_attribute: str = ""
    """Attribute of the item that counts the feed's videos."""
    next_buttons: tuple[str, ...] = ()
    moves: tuple[str, ...] = ("button", "key:ArrowDown", "key:PageDown", "wheel", "scroll")
    """Ways to the next video, in the order in which they are tried."""
    like_buttons: tuple[str, ...] = ()
    liked: tuple[str, ...] = ()
    """Selectors that, visible within the item, say that it is liked; so does ``aria-pressed``."""
    ad: tuple[str, ...] = ()
    """Selectors that, visible within the item, say that it is an advertisement."""
    live: tuple[str, ...] = ()
    photos: tuple[str, ...] = ()
    """Selectors of the pictures that a post shows instead of a video: no player is waited for."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Selector within the item of ``caption``, ``author``: the page's own words, which fill what
    the feed's responses leave out."""
    field_attributes: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    """(selector within the item, attribute, regular expression with one group) that give a field
    where ``fields`` does not."""
    walls: tuple[Wall, ...] = ()
    inline: tuple[str, ...] = ()
    """Where the document itself holds feed items: the selector of script elements of JSON, such
    as ``script#id``, or ``window.name`` for a variable. Reported as a ``SiteAnswer`` once a
    document is loaded."""


@dataclass(frozen=True)
class Box:
    """A rectangle of the page, in CSS pixels of the viewport."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class ActiveVideo:
    """The active video, once the page shows it. The player is held from here on."""

    key: str
    """Identity within this visit: the platform's id, or else the source of the video."""
    id: str | None
    id_source: str | None
    url: str
    box: Box
    time_s: float
    duration_s: float | None
    exposure_s: float
    """Seconds of video that its player had played when it was held."""
    shown: bool
    """Whether it has decoded, advancing frames. False for a card without a video, too."""
    has_video: bool
    ad: bool | None
    live: bool | None
    """``None`` where it cannot be seen."""
    fields: Mapping[str, str]
    moved: int | None
    """Videos forward since the last one, where the page tells; else ``None``."""
    animation_ms: float
    """Wall time during which the page itself was moving."""
    pictures: int = 0
    """Pictures that a photo post holds; 0 where it shows a video or none."""
    held: bool = True
    """False: it goes on, as what has no player does, so the time until the reaction is exposure."""
    hooks_used: Mapping[str, str] = field(default_factory=dict)
    """Which of its hooks answered for ``item``, ``id``, ``active`` and ``next``; ``geometry`` or
    ``none`` where none did."""


@dataclass(frozen=True)
class Capture:
    """A screenshot of the player region."""

    jpeg: bytes
    time_s: float
    retakes: int


@dataclass(frozen=True)
class Arrival:
    """The move that was confirmed and the video it led to."""

    action: str
    attempts: int
    left_dwell_s: float
    """Seconds of video that the player of the video left behind had played."""
    shown: ActiveVideo


@dataclass(frozen=True)
class PageEvent:
    """Something that the page reported by itself, such as an uncaught error."""

    kind: str
    message: str


class Driver(Protocol):
    """Hands and eyes on one page.

    Every method ends within its own limit, with its result or with a ``DriverFault``.
    """

    browser: str
    """Name and version, for the ledger."""
    viewport: tuple[int, int]

    async def start(self) -> None:
        """Start the browser, so that ``browser`` is known."""
        ...

    async def open(self, url: str) -> ActiveVideo:
        """Open the feed and hold the active video. Starts a browser where none is."""
        ...

    async def capture(self, shown: ActiveVideo, picture: int = 0) -> Capture:
        """Take the player region while the player is held; the very video, or a fault.

        ``picture``: of a photo post, which of its pictures, counted from 0.
        """
        ...

    async def watch(self, shown: ActiveVideo, seconds: float, *, then_hold: bool = False) -> float:
        """Release the player until it has played ``seconds`` in all; return what it has played."""
        ...

    async def picture(self) -> bytes:
        """Take all that is seen as PNG, for a person to look at."""
        ...

    async def count(self, selectors: Sequence[str]) -> list[int]: ...

    async def until_clear(self) -> None:
        """Return once no wall is seen any more; however long a person takes."""
        ...

    async def like(self) -> bool:
        """Like the active video; whether the page confirms it."""
        ...

    async def next(self, shown: ActiveVideo) -> Arrival: ...

    def events(self) -> list[PageEvent]:
        """What the page reported since the last call."""
        ...

    async def close(self) -> None:
        """Close the browser. Never raises, also where it is gone."""
        ...


@dataclass(frozen=True)
class SiteAnswer:
    """What the site's server said to its own page: a response, or inline JSON.

    Only the main frame is heard, and only the platform's own hosts: whatever an advertisement's
    frame asks, or another host says, is no answer.
    """

    url: str
    """Address of the response; ``inline:`` and the name of the script or variable."""
    body: Any
    """Parsed JSON; ``None`` where the body is empty or no JSON."""
    status: int = 200
    request: str | None = None
    """Text that the page sent with its request, as it is; ``None`` where it sent none."""
    origin: str = ""
    """Scheme, host and port of the page that asked, such as ``https://www.tiktok.com``."""
    requested_s: float | None = None
    """When it was asked for, as ``perf_counter`` tells time; ``None``: when it is handed on."""


OnAnswer = Callable[[SiteAnswer], None]
