"""Names the wall that a page shows as a fault, and declines consent, once."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agent.drivers.base import Wall, WallKind
from agent.errors import (
    AgeAsked,
    ChallengeShown,
    ConsentAsked,
    LoginRequired,
    PresenceAsked,
    RateLimited,
    SiteFailed,
    WallShown,
)

if TYPE_CHECKING:
    from playwright.async_api import Page

    from agent.drivers.web.injected_script import IsolatedWorld

FAULTS: dict[WallKind, type[WallShown]] = {
    "consent": ConsentAsked,
    "login": LoginRequired,
    "challenge": ChallengeShown,
    "age": AgeAsked,
    "inactivity": PresenceAsked,
    "rate_limit": RateLimited,
    "error": SiteFailed,
}


def make_fault(kind: WallKind, address: str, seen: str) -> WallShown:
    """Return the fault that names a wall. Of the page's address only the host is told."""
    return FAULTS[kind](urlsplit(address).hostname or "the site", seen)


class PageWalls:
    """The walls that one page may show, in the order of looking for them."""

    def __init__(self, walls: Sequence[Wall]) -> None:
        self._walls = walls
        self._declined: set[int] = set()
        self._since: dict[int, float] = {}
        self.met = 0
        """How often a wall was seen so far."""

    def meet(self, wall: dict[str, Any]) -> None:
        """Know that a wall is seen, and since when."""
        self.met += 1
        self._since.setdefault(int(wall["number"]), perf_counter())

    def grace_left(self, wall: dict[str, Any], grace_s: float) -> float:
        return max(0.0, self._since[int(wall["number"])] + grace_s - perf_counter())

    def forget(self) -> None:
        """Let every wall that is seen from now on have its whole grace time."""
        self._since.clear()

    async def decline(self, page: Page, world: IsolatedWorld, wall: WallShown) -> bool:
        """Decline a wall of consent that is met for the first time; whether it was."""
        number = int(wall.details["wall"])
        if number in self._declined or not self._walls[number].decline:
            return False
        button = await world.ask("declining", number)
        if button is None:
            return False
        self._declined.add(number)
        await page.mouse.click(button["x"], button["y"])
        return True

    def fault(self, page: Page, wall: dict[str, Any]) -> WallShown:
        number = int(wall["number"])
        fault = make_fault(self._walls[number].kind, page.url, str(wall["seen"]))
        fault.details["wall"] = number
        return fault
