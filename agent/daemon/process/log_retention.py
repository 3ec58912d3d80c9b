"""The logs of the daemon's children are kept until they are many or old.

Refuses to know what is written into them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from store.runs.data_folder import DataFolder

LOGS = "logs"
MOST_LOGS = 200
"""Logs that are kept of each entry's children."""
OLDEST = timedelta(days=30)


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
