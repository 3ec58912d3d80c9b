"""What the explorer cannot show."""

from __future__ import annotations

from agent.errors import AgentError, UserError


class NoSuchPage(AgentError):
    """An address leads to nothing, or to what cannot be read; says what to do."""


class FilmFailed(UserError):
    """A picture or video of film strips could not be made; says why and what to choose."""
