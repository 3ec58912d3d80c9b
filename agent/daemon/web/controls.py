"""What a person may ask of a running daemon: the page, and the command line, ask through this.

Refuses to know how the daemon does it and who asks.
"""

from __future__ import annotations

from typing import Protocol


class Controls(Protocol):
    """A running daemon, as far as a person may steer it.

    Each call has happened, and is in the journal, when it returns. An entry that is not in the
    watch file raises ``UnknownName``; what cannot be done now raises ``BadConfig``.
    """

    async def pause(self, entry: str | None) -> None:
        """Start nothing more of an entry (``None``: of any) and interrupt what runs of it."""
        ...

    async def resume(self, entry: str | None) -> None:
        """Take it up again; what was interrupted goes on where it stopped."""
        ...

    async def run_now(self, entry: str) -> None:
        """Make it due now, whatever its schedule says."""
        ...

    async def retry(self, entry: str) -> None:
        """Try its last occurrence again, after a fault or a deadline, and close the breaker."""
        ...

    async def looked(self, platform: str, account: str) -> None:
        """A person has dealt with the wall of this account; its platform may go on."""
        ...
