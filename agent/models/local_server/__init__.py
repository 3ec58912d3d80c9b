"""Model servers started on this machine: one per model, shared, ended with its last user."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agent.errors import BadConfig
from agent.models.local_server.lease import ServerLease
from agent.models.local_server.vllm import vllm_recipe
from agent.models.providers import parse_model_name
from store.terminal.printing import remark

__all__ = ["ServerLease", "lease_for", "warmed"]


def lease_for(name: str) -> ServerLease | None:
    """Claim the server that a model needs on this machine; ``None`` where it needs none.

    Raises ``MissingExtra`` without the server's program, and ``BadConfig`` where its settings are
    wrong or it cannot be kept to this machine.
    """
    provider = parse_model_name(name).provider
    if provider.server_setting is None or provider.named_server():
        return None
    if not provider.capabilities.starts_server:
        raise BadConfig(  # inspect_ai would start one, open to the network under a known key
            f"{name} needs a server of yours: python -m sglang.launch_server --host 127.0.0.1. "
            "Then type: export SGLANG_BASE_URL=http://127.0.0.1:30000/v1"
        )
    return ServerLease(vllm_recipe(name))


@asynccontextmanager
async def warmed(name: str) -> AsyncIterator[None]:
    """Keep the server that a model needs on this machine, from before its first question.

    The waiting is outside every limit, and ends at once with a Ctrl-C. Raises as `lease_for` and
    `ServerLease.ready` do.
    """
    lease = await asyncio.to_thread(lease_for, name)
    if lease is None:
        yield
        return
    try:
        await lease.ready(remark)
        yield
    finally:
        lease.release()
