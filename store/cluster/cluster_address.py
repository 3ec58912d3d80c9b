"""Which cluster does the work."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_CLIENT = re.compile(r"ray://[^\s/:@]+:\d{1,5}")


@dataclass(frozen=True)
class ClusterAddress:
    """A cluster: the one that is found from this machine, or one at an address of Ray's client."""

    client: str | None = None
    """``ray://host:port``; ``None``: the cluster that this machine is part of, else a local one."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``ray`` or ``ray://host:port``; raises ``ValueError``."""
        if text == "ray":
            return cls()
        if _CLIENT.fullmatch(text):
            return cls(text)
        raise ValueError(f"{text!r} is no cluster")

    def __str__(self) -> str:
        return self.client or "ray"
