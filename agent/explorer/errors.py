"""What the explorer cannot show."""

from __future__ import annotations

from agent.errors import AgentError


class NoSuchPage(AgentError):
    """An address leads to nothing, or to what cannot be read; says what to do."""
