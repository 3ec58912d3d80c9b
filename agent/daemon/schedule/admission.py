"""What holds an entry back: a person, the hour, a cap, a wall, a changed site, the machine."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import psutil

from agent.daemon.config.jobs import Job
from agent.daemon.config.watch_file import WatchFile, WatchLimits
from agent.daemon.journal.events import Trouble
from agent.daemon.journal.state import State
from agent.daemon.journal.tail import CalendarDay
from agent.daemon.schedule.past_runs import PastRuns
from agent.errors import LayoutChanged
from agent.run.browser_profiles import profile_user
from agent.run.pacing import Hours
from store.errors import DataUnwritable, StoreError
from store.jsonl.locks import holder
from store.runs.data_folder import DataFolder

_MIB = 1 << 20


def find_hold(
    job: Job, watch: WatchFile, state: State, evidence: PastRuns, now: datetime
) -> str | None:
    """Return why nothing of the entry may go on now; what runs of it is interrupted."""
    entry = job.entry
    if state.paused_all or entry.name in state.paused:
        return "paused"
    local = now.astimezone(watch.zone(entry)).time()
    if entry.quiet_hours and Hours.parse(entry.quiet_hours).hold(local):
        return f"quiet hours {entry.quiet_hours} ({watch.zone(entry)})"
    for cap in watch.cap:
        told = cap.platform in (None, *job.platforms) and cap.persona in (None, *job.personas)
        if told and evidence.watched(cap, CalendarDay.of(now, watch.days)) >= cap.per_day:
            about = " ".join(name for name in (cap.platform, cap.persona) if name) or "all"
            return f"{cap.per_day} videos a day ({watch.timezone}) of {about} are watched"
    if entry.budget_usd is None:
        return None
    try:
        spent = evidence.spent(job, {each.name for each in watch.entries})
    except StoreError as error:  # nobody knows what may still be spent
        return f"its budget cannot be held: {error}"
    return (
        f"its budget of {entry.budget_usd} dollars is spent" if spent >= entry.budget_usd else None
    )


def find_bar(
    job: Job, watch: WatchFile, state: State, running: Iterable[Job], now: datetime
) -> str | None:
    """Return why nothing of the entry may be started now; what runs of it goes on."""
    for trouble in ("disk", "memory"):
        if trouble in state.troubles:
            return state.troubles[trouble].detail
    for (platform, account), wall in state.walls.items():
        if platform in job.platforms and wall.wall == LayoutChanged.__name__:
            since = f"{wall.at:%Y-%m-%d %H:%M} UTC"
            return f"{platform} has changed since {since}, and waits for a person: {wall.found}"
        if platform in job.platforms:
            return f"a wall of {platform} ({account}) waits for a person"
    running = list(running)
    for platform in job.platforms & state.breakers.keys():
        pause = timedelta(seconds=watch.limits.breaker)
        trying = any(platform in other.platforms for other in running)
        if trying or now < state.breakers[platform].at + pause:
            return f"the breaker of {platform} is open"
    if any(job.profiles & other.profiles for other in running):
        return "its profile is in use"
    return None


def find_user(job: Job, data: DataFolder) -> str | None:
    """Return who else uses what the entry needs, in words: a run by hand, or a second conductor."""
    if job.declared is not None:
        name = job.declared.name
        who = holder(data.study_dir(name) / ".lock")
        return f"the study {name} is conducted by {who}" if who else None
    if job.config is None or job.config.account is None:
        return None
    for platform in (job.config.platform, "playground"):
        if who := profile_user(data, platform, job.config.account):
            return f"the account {job.config.account} is used by {who}"
    return None


def has_room(job: Job, watch: WatchFile, running: Iterable[Job]) -> bool:
    """Whether the entry may run beside what runs; one that is too large runs alone."""
    weight = sum(other.weight for other in running)
    return weight == 0 or weight + job.weight <= watch.limits.parallel


def find_shortages(data: DataFolder, limits: WatchLimits) -> dict[Trouble, str]:
    """Return what of the machine is short, in words."""
    found: dict[Trouble, str] = {}
    try:
        data.prepare(limits.disk_mib)
    except DataUnwritable as error:
        found["disk"] = str(error)
    except OSError as error:
        found["disk"] = f"{data.root} cannot be looked at ({error.strerror})"
    free = psutil.virtual_memory().available // _MIB
    if free < limits.memory_mib:
        found["memory"] = f"{free} MiB of memory free, {limits.memory_mib} MiB wanted"
    return found
