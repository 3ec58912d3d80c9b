"""Hands and eyes: how a page is opened, looked at, watched and moved."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DriverCapabilities:
    """What a driver can do and what it takes, known before anything is opened."""

    on_screen: bool = False
    """It sees the screen and moves the mouse, and looks into no page; on a live site the window
    is the user's own."""
    confirms_likes: bool = True


DRIVERS = {
    "playwright": DriverCapabilities(),
    "desktop": DriverCapabilities(on_screen=True, confirms_likes=False),
}
"""Drivers that can be asked for by name."""
