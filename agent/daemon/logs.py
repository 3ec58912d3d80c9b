"""The daemon's logs: its own in turns of a fixed size, its children's until they are old.

Refuses to know what is written into them.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from logging.handlers import RotatingFileHandler

from store.data import DataFolder
from store.files import make_folder

LOGS = "logs"
TURN_BYTES, TURNS = 2 << 20, 5
MOST_LOGS = 200
"""Logs that are kept of each entry's children."""
OLDEST = timedelta(days=30)


def rotating(data: DataFolder) -> logging.Handler:
    """Return a handler that writes ``daemon.log``, at most 12 MiB of it."""
    folder = data.daemon_dir / LOGS
    make_folder(folder)
    handler = RotatingFileHandler(
        folder / "daemon.log", maxBytes=TURN_BYTES, backupCount=TURNS, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    return handler


def prune(data: DataFolder, now: datetime) -> int:
    """Remove children's logs beyond the newest, and old ones; return how many.

    A log that is still written is among the newest. Names sort by time.
    """
    removed = 0
    for folder in (data.daemon_dir / LOGS).glob("*/"):
        logs = sorted(folder.glob("*.log"), reverse=True)
        for place, log in enumerate(logs):
            age = now.timestamp() - log.stat().st_mtime
            if place >= MOST_LOGS or (place > 0 and age > OLDEST.total_seconds()):
                log.unlink(missing_ok=True)
                removed += 1
    return removed
