"""How many questions a service is asked at once: by inspect_ai's adaptive connections, or pinned.

The number doubles while a full round is answered without a retry. It is halved where the service
asks to slow down, at most every five seconds, and grows slowly from then on. A call that runs out
of time halves it too, which inspect_ai leaves alone: a server of one's own does not say 429, but
lets questions wait.
"""

from __future__ import annotations

from typing import Any

START = 8
MOST = 100
_FEWER = 0.5
_PAUSE_S = 5.0  # from one cut to the next


def limit_connections(at_once: int | None) -> dict[str, Any]:
    """Return the fields of inspect_ai's ``GenerateConfig`` that say it; ``None`` adapts."""
    from inspect_ai.util import AdaptiveConcurrency

    if at_once is not None:
        return {"max_connections": at_once}
    adaptive = AdaptiveConcurrency(
        min=1, start=START, max=MOST, cooldown_seconds=_PAUSE_S, decrease_factor=_FEWER
    )
    return {"adaptive_connections": adaptive}


def keep_own_limit(api: Any, config: Any) -> None:
    """Have a pinned number, or that of a batch, hold for this model alone.

    inspect_ai shares connections within a program, and whoever came first says how many.
    """
    if config.max_connections is not None or config.batch:
        shared = api.connection_key()
        api.connection_key = lambda: f"{shared}-{id(api)}"


def count_connections(api: Any, config: Any) -> int:
    """Return how many calls to a provider of inspect_ai may be under way by now."""
    if config.max_connections is not None:
        return int(config.max_connections)
    controller = _controller(api)
    return START if controller is None else int(controller.concurrency)


def slow_down(api: Any) -> None:
    """Ask a service less at once, since a call to it ran out of time."""
    controller = _controller(api)
    if controller is not None:
        controller.notify_retry()


def _controller(api: Any) -> Any:
    """Return what adapts the connections to a provider; ``None`` before its first question."""
    from inspect_ai.model._model import model_concurrency_key  # told nowhere in public
    from inspect_ai.util._concurrency import adaptive_controllers

    key = model_concurrency_key(api)
    return next((each for each in adaptive_controllers() if each.key == key), None)
