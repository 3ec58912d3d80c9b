"""Walls and changed sites that wait for a person, with what to type."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from agent import errors
from agent.daemon.journal.events import WallReported
from agent.run_config import FrozenValue
from store.plug_ins.entry_points import PlugInFault


class WaitingWall(FrozenValue):
    """A wall, and what a person does about it."""

    platform: str
    account: str
    since: datetime
    wall: str
    saw: str
    command: str
    run_id: str
    found: str = ""
    """What in particular, where that is known."""


def list_waiting(walls: Iterable[WallReported]) -> tuple[WaitingWall, ...]:
    """Return the walls, the oldest first."""
    found = [
        WaitingWall(
            platform=wall.platform,
            account=wall.account,
            since=wall.at,
            wall=wall.wall,
            saw=getattr(getattr(errors, wall.wall, None), "saw", errors.WallShown.saw),
            command=_command(wall),
            run_id=wall.run_id,
            found=wall.found,
        )
        for wall in walls
    ]
    return tuple(sorted(found, key=lambda one: one.since))


def _command(wall: WallReported) -> str:
    from agent.platforms import load_platform

    try:
        signs_in = load_platform(wall.platform).session is not None
    except (errors.UnknownName, PlugInFault):
        signs_in = False
    if wall.wall == errors.LayoutChanged.__name__:
        who = f" --account {wall.account}" if wall.account != wall.run_id else ""
        return f"python -m agent doctor --platform {wall.platform}{who}"
    if signs_in:
        return f"python -m agent login {wall.platform} --account {wall.account}"
    return f"python -m store show {wall.run_id or 'latest'}"
