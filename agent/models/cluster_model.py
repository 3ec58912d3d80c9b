"""A model on the nodes of a cluster: its questions are answered by a pool of actors.

Each actor has loaded the model. Who asks keeps the answers, the cap and the book of payments, so
that nothing is lost or doubled where an actor or its node dies: its questions are asked elsewhere.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import partial
from typing import Any

from agent.errors import AgentError, BadConfig, ModelFailed, TimedOut
from agent.model_settings import ModelSettings
from agent.models import check, load_here
from agent.models.base import Model, Question, Reply
from agent.models.local_server import worker_messages as messages
from agent.models.local_server.worker_errors import read_error, write_error
from agent.models.providers import parse_model_name
from store.cluster.actor_pool import IDLE_NONE, ActorPool
from store.cluster.errors import WorkLost
from store.cluster.ray_cluster import Cluster
from store.errors import StoreError
from store.terminal.printing import count_of, remark

_LIMIT_S = 60.0
"""Wall time for one reply, of a model that does not limit itself."""
_MADE_BY = "made_by"
_ERROR = "error"
"""Field of what is said in the place of a reply or a description."""


class HostedModel:
    """A model in an actor's process."""

    def __init__(self, name: str, settings: ModelSettings) -> None:
        self._name = name
        self._settings = settings
        self._model: Model | None = None

    def describe(self) -> bytes:
        """Load the model and describe it, or say why it cannot be loaded."""
        try:
            check(self._name)  # a node may lack the package that it comes in
            self._model = load_here(self._name, settings=self._settings)
        except (AgentError, StoreError) as error:
            return json.dumps(write_error(error)).encode()
        about = messages.describe_model(self._model) | {_MADE_BY: _tell_maker(self._name)}
        return json.dumps(about, sort_keys=True).encode()

    async def answer(self, task: bytes) -> bytes:
        """Answer a question; what the model raises is an answer too."""
        try:
            return messages.write_reply(await self._ask(messages.read_question(task)))
        except Exception as error:  # noqa: BLE001 - whatever a library raises, who asked shall know
            return json.dumps(write_error(error)).encode()

    async def _ask(self, question: Question) -> Reply:
        if self._model is None:
            raise ModelFailed("This actor has no model")
        limit_s = None if self._model.capabilities.limits_itself else _LIMIT_S
        try:
            async with asyncio.timeout(limit_s):
                return await self._model.ask(question)
        except TimeoutError:
            raise TimedOut(f"{self._name} did not reply within its limit") from None

    def end(self) -> None:
        """Nothing of it outlives its process."""


class ClusterModel(messages.DescribedModel):
    """A model that a pool of actors has loaded; named, keyed and recorded as the model itself."""

    def __init__(self, name: str, pool: ActorPool[bytes, bytes]) -> None:
        about = _read_fields(pool.description)
        if about[_MADE_BY] != (mine := _tell_maker(name)):
            raise BadConfig(
                f"The nodes have the {about[_MADE_BY]}, and this machine the {mine}, so that its "
                "answers could not be traced. Install the same on all, then type: the same command"
            )
        super().__init__(name, about)
        pool.each = max(IDLE_NONE, about["at_once"])
        # an actor counts its own work; a wait for another one is no failure of the model
        self.capabilities = replace(self.capabilities, limits_itself=True)
        self._pool = pool

    @property
    def at_once(self) -> int:
        return self._pool.at_once

    async def ask(self, question: Question) -> Reply:
        """Answer as the model does, whatever actors are lost meanwhile.

        Raises what the model raises, ``ModelFailed`` where the question itself ends actors, and
        ``ClusterFault`` where the cluster can do no more.
        """
        body = await asyncio.to_thread(messages.write_question, question)
        try:
            said = await asyncio.wrap_future(self._pool.submit(body, question.frame_hashes))
        except WorkLost as error:
            raise ModelFailed(str(error)) from error
        _read_fields(said)
        return messages.read_reply(said)

    async def close(self) -> None:
        """End the actors."""
        await asyncio.to_thread(self._pool.close)
        if self._pool.lost:
            remark(f"{count_of(self._pool.lost, 'actor')} of the cluster were lost and replaced.\n")


async def open_cluster_model(cluster: Cluster, name: str, settings: ModelSettings) -> ClusterModel:
    """Load a model on every node of a cluster (its GPUs, where it has any), until it is closed.

    Raises what loading the model raises, and ``ClusterFault``.
    """
    weighty = parse_model_name(name).provider.warm and settings.device != "cpu"
    pool: ActorPool[bytes, bytes] = ActorPool(
        cluster, partial(HostedModel, name, settings), gpu=weighty
    )
    try:
        await asyncio.wrap_future(pool.open())
        return ClusterModel(name, pool)
    except BaseException:
        await asyncio.to_thread(pool.close)
        raise


def _tell_maker(name: str) -> str:
    """Say which state of which package a model is of; empty where it is one of feedsway's."""
    plug_in = parse_model_name(name).provider.plug_in
    return "" if plug_in is None else f"{plug_in.label} (code {plug_in.code})"


def _read_fields(said: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(said)
    if _ERROR in fields:
        raise read_error(fields)
    return fields
