"""A driver that also keeps, in memory, what the site says and how its page stands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from playwright.async_api import BrowserContext
from playwright.async_api import Error as PlaywrightError

from agent.drivers.base import OnAnswer, PageHooks, SiteAnswer, Wall, WallKind
from agent.drivers.web.browser import BrowserWindow
from agent.drivers.web.driver import SETTLE_MARGIN_S, VARIABLES, PlaywrightDriver
from agent.drivers.web.injected_script import DocumentGone, IsolatedWorld
from agent.drivers.web.page_events import parse_json
from agent.drivers.web.wall_handling import PageWalls
from agent.errors import WallShown

if TYPE_CHECKING:
    from playwright.async_api import Page

SNAPSHOT_RULES = Path(__file__).with_name("page_snapshot.js").read_text(encoding="utf-8")

OnWall = Callable[[WallKind, str, IsolatedWorld], Awaitable[None]]
"""Takes the kind of a wall, what gave it away, and the world of its document."""
OnDecline = Callable[[], None]


def ignore_decline() -> None:
    """Do nothing about a wall that was declined."""


class ReportedWalls(PageWalls):
    """Walls of a page; each one that is met is told before anything is done about it."""

    def __init__(
        self, walls: tuple[Wall, ...], on_wall: OnWall, on_decline: OnDecline = ignore_decline
    ) -> None:
        super().__init__(walls)
        self._kinds = [wall.kind for wall in walls]
        self._on_wall, self._on_decline = on_wall, on_decline

    async def decline(self, page: Page, world: IsolatedWorld, wall: WallShown) -> bool:
        kind = self._kinds[int(wall.details["wall"])]
        await self._on_wall(kind, str(wall.details["seen"]), world)
        declines = await super().decline(page, world, wall)
        if declines:
            self._on_decline()
        return declines


@dataclass
class PageView:
    """The page at one moment, raw."""

    address: str
    document: str
    nodes: list[dict[str, Any]]
    cut: bool
    """Whether it had more nodes than are taken."""
    seen_at: float
    """As of ``perf_counter``, as all times here."""
    left_at: float = float("inf")
    """When the visitor began to react to it."""
    wall: WallKind | None = None
    evidence: str = ""
    """What gave the wall away."""
    declined: bool = False

    def leave(self) -> None:
        """Know that the visitor reacts from now on."""
        self.left_at = perf_counter()


@dataclass(frozen=True)
class HeardAnswer:
    """A response and when it was asked for."""

    answer: SiteAnswer
    asked_s: float


@dataclass(frozen=True)
class InlineText:
    """JSON that the document itself held, raw."""

    name: str
    body: Any
    attributes: dict[str, str] = field(default_factory=dict)


class RecordingDriver(PlaywrightDriver):
    """Drives a page as ever, and keeps what passes by until it is asked for."""

    def __init__(self, window: BrowserWindow, hooks: PageHooks, on_answer: OnAnswer) -> None:
        self.heard: list[HeardAnswer | PageView] = []
        self.inline: list[InlineText] = []
        self.early = 0
        """Answers that were heard before the document itself was read."""
        self._tell = on_answer
        super().__init__(window, hooks, self._hear)
        self._walls: ReportedWalls = ReportedWalls(hooks.walls, self._see_wall, self._see_decline)

    async def see_page(self) -> PageView:
        """Keep how the page stands now."""
        view = _view(await self._ask("snapshot", {"wall": False}, SETTLE_MARGIN_S))
        self.heard.append(view)
        return view

    def _hear(self, answer: SiteAnswer) -> None:
        if answer.url.startswith("inline:"):
            self.early = sum(isinstance(one, HeardAnswer) for one in self.heard)
        else:
            asked = answer.requested_s
            self.heard.append(HeardAnswer(answer, perf_counter() if asked is None else asked))
        self._tell(answer)

    async def _see_wall(self, kind: WallKind, seen: str, world: IsolatedWorld) -> None:
        last = self._last_view()
        if last is not None and (last.wall, last.evidence) == (kind, seen):
            return  # it stands there still, or was just declined
        with suppress(DocumentGone, PlaywrightError):  # it went by itself
            view = _view(await world.ask("snapshot", {"wall": True}))
            view.wall, view.evidence, view.left_at = kind, seen, view.seen_at
            self.heard.append(view)

    def _see_decline(self) -> None:
        last = self._last_view()
        if last is not None:
            last.declined = True

    def _last_view(self) -> PageView | None:
        return next((one for one in reversed(self.heard) if isinstance(one, PageView)), None)

    async def _prepare(self, context: BrowserContext) -> None:
        await super()._prepare(context)
        await self._rules().install(SNAPSHOT_RULES)

    async def _read_inline(self) -> None:
        await super()._read_inline()
        names = [name for name in self._hooks.inline if name.startswith("window.")]
        scripts = [name for name in self._hooks.inline if name not in names]
        held = await self._rules().call("inlineScripts", scripts, SETTLE_MARGIN_S)
        self.inline = [
            InlineText(one["name"], parse_json(one["text"]), one["attributes"]) for one in held
        ]
        variables = [name.removeprefix("window.") for name in names]
        texts = await self._within(
            self._open_page().evaluate(VARIABLES, variables), SETTLE_MARGIN_S
        )
        self.inline += [
            InlineText(name, parse_json(text))
            for name, text in zip(names, texts, strict=True)
            if text
        ]


def _view(data: dict[str, Any]) -> PageView:
    return PageView(**data, seen_at=perf_counter())
