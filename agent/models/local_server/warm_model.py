"""Models and encoders in a worker's process: what a run holds in place of their weights.

They answer exactly as they would in the run's own process, which loads neither torch nor weights.
A worker that dies is replaced and asked once more; a reply counts only where all of it has come.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from PIL import Image

from agent.errors import BadConfig, ModelFailed
from agent.model_settings import ModelSettings
from agent.models.base import Question, Reply
from agent.models.local_server import worker_messages as messages
from agent.models.local_server.lease import ServerLease
from agent.models.local_server.runtime_folder import ServerAddress, ServerRecipe
from agent.models.local_server.worker_errors import read_error
from agent.models.local_server.worker_recipe import encoder_recipe, linger_s, model_recipe
from agent.models.providers import find_capabilities, parse_model_name
from store.encoders import Encoder, Vectors
from store.encoders import load as load_encoder
from store.encoders.registry import find_plug_in
from store.terminal.printing import remark

_AT_ONCE = 64  # questions of one user under way
_QUIET_S = 10.0  # a start that takes no longer is not worth a word
_TRIES = 2


class WorkerConnection:
    """One user's way to a worker, also where it dies and another takes its place."""

    def __init__(self, lease: ServerLease) -> None:
        self._lease = lease
        self._name = lease.recipe.model
        self._user = uuid4().hex
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="feedsway-worker")
        try:
            self._address = lease.wait(remark)
        except ModelFailed:
            if lease.why_it_failed() is not None:
                raise
            self._address = lease.renew(None, remark)  # its keeper was killed
        self.about: dict[str, Any] = {}
        self.about = json.loads(self.send("/models", None, _Call(self._user)))

    @classmethod
    def open(cls, recipe: ServerRecipe) -> WorkerConnection | None:
        """Come to a worker and wait until it answers; ``None`` where this machine allows none.

        Raises what loading the model or encoder raises.
        """
        try:
            lease = ServerLease(recipe, _QUIET_S)
        except (OSError, BadConfig) as problem:
            remark(f"{recipe.model} is loaded in this process, without a worker: {problem}\n")
            return None
        try:
            return cls(lease)
        except BaseException:
            lease.release()
            raise

    async def ask(self, question: Question) -> Reply:
        call = _Call(self._user)
        loop = asyncio.get_running_loop()
        try:
            body = await loop.run_in_executor(self._threads, self._send_question, question, call)
        except asyncio.CancelledError:
            call.give_up()
            raise
        try:
            return messages.read_reply(body)
        except ValueError as error:
            raise ModelFailed(f"{self._name} gave no whole reply") from error

    def _send_question(self, question: Question, call: _Call) -> bytes:
        return self.send("/ask", messages.write_question(question), call)

    def encode(self, body: bytes) -> Vectors:
        return messages.read_vectors(self.send("/encode", body, _Call(self._user)))

    def send(self, path: str, body: bytes | None, call: _Call) -> bytes:
        """Send to the worker, and once more to another one where it dies meanwhile.

        Raises what the model raises, and ``ModelFailed`` where the second one dies too.
        """
        for _ in range(_TRIES):
            address = self._address
            try:
                return call.send(address, path, body)
            except (OSError, HTTPException) as error:
                problem = type(error).__name__
            if call.stop.is_set():
                raise ModelFailed("Nobody waits for this answer any more")
            self._renew(address, call)
        raise ModelFailed(f"The worker of {self._name} ended twice ({problem})")

    def _renew(self, lost: ServerAddress, call: _Call) -> None:
        """Find the worker in the lost one's place; refuse it where its files have changed."""
        try:
            address = self._lease.renew(lost, remark, call.stop)
        except OSError as error:  # a full disk, for one
            raise ModelFailed(f"No worker of {self._name} could be started ({error})") from error
        with suppress(OSError, HTTPException):  # it is gone too, which the next try finds
            about = json.loads(call.send(address, "/models", None))
            if self.about not in ({}, about):
                raise ModelFailed(f"{self._name} has changed. Type the same command with --new")
        self._address = address

    def close(self) -> None:
        """Give the worker up: it ends a while after its last user."""
        self._lease.release()


class _Call:
    """One exchange with a worker, which may be given up from another thread."""

    def __init__(self, user: str) -> None:
        self.stop = threading.Event()
        self._user = user
        self._connection: HTTPConnection | None = None

    def send(self, address: ServerAddress, path: str, body: bytes | None) -> bytes:
        """Return the whole answer; raises ``OSError`` or ``HTTPException`` where it breaks off."""
        parts = urlsplit(address.url)
        connection = self._connection = HTTPConnection(str(parts.hostname), parts.port)
        try:
            method = "GET" if body is None else "POST"
            headers = {"Authorization": f"Bearer {address.key}", messages.USER: self._user}
            connection.request(method, f"{parts.path}{path}", body, headers)
            response = connection.getresponse()
            answer = response.read()
            if response.status == HTTPStatus.UNPROCESSABLE_ENTITY:
                raise read_error(json.loads(answer))
            if response.status != HTTPStatus.OK:  # another program at its port, for one
                raise HTTPException(response.status)
            return answer
        finally:
            connection.close()

    def give_up(self) -> None:
        self.stop.set()
        connection = self._connection
        if connection is not None and (waiting := connection.sock) is not None:
            with suppress(OSError):  # it was about to end
                waiting.shutdown(socket.SHUT_RDWR)  # ends the waiting in its thread


class WarmModel(messages.DescribedModel):
    """A model whose weights are in a worker; named, keyed and recorded as the model itself."""

    def __init__(self, name: str, connection: WorkerConnection) -> None:
        super().__init__(name, connection.about["model"])
        self.at_once: int = connection.about["model"]["at_once"]
        self._connection = connection

    async def ask(self, question: Question) -> Reply:
        """Answer as the model does; ``ModelFailed`` also where two workers in a row have died."""
        return await self._connection.ask(question)

    async def close(self) -> None:
        await asyncio.to_thread(self._connection.close)


class WarmEncoder:
    """An encoder whose weights are in a worker."""

    stages = None  # its pictures are prepared where its weights are

    def __init__(self, connection: WorkerConnection) -> None:
        about = connection.about["encoder"]
        self.id: str = about["id"]
        self.dim: int = about["dim"]
        self._connection = connection

    def images(self, images: Sequence[Image.Image]) -> Vectors:
        return self._connection.encode(messages.write_pictures(images))

    def texts(self, texts: Sequence[str]) -> Vectors:
        return self._connection.encode(json.dumps({"texts": list(texts)}).encode())


def open_warm_model(name: str, settings: Mapping[str, Any]) -> WarmModel | None:
    """Open a model in the machine's worker; ``None`` where it is to load in this process."""
    if not _has_workers():
        return None
    connection = WorkerConnection.open(model_recipe(name, settings))
    return None if connection is None else WarmModel(name, connection)


def open_encoder(name: str, model: str) -> Encoder:
    """Open an encoder in a worker: in the model's own, where the model computes it anyway."""
    if not _has_workers() or find_plug_in(name) is not None:  # whose code no worker watches
        return load_encoder(name)
    if find_capabilities(model).encoder == name:
        recipe = model_recipe(model, {})
    else:
        recipe = encoder_recipe(name)
    connection = WorkerConnection.open(recipe)
    return load_encoder(name) if connection is None else WarmEncoder(connection)


@asynccontextmanager
async def hold_worker(name: str, settings: ModelSettings) -> AsyncIterator[None]:
    """Wait until a model's worker answers, if it has one, and keep it while the model is opened.

    Opening a model waits in a thread, which nothing ends early. This waiting ends at once with a
    Ctrl-C, and the worker with it where nobody else waits. Raises what loading the model raises.
    """
    lease = await asyncio.to_thread(_claim_worker, name, settings)
    if lease is None:
        yield
        return
    try:
        try:
            await lease.ready(remark)
        except ModelFailed:
            if lease.why_it_failed() is not None:
                raise
            # its keeper was killed, and opening the model starts another
        yield
    finally:
        lease.release()


def _claim_worker(name: str, settings: ModelSettings) -> ServerLease | None:
    """Come to a model's worker; ``None`` where it has none, or opening it says why not."""
    if not (parse_model_name(name).provider.warm and _has_workers()):
        return None
    try:
        return ServerLease(model_recipe(name, settings.chosen), _QUIET_S)
    except (OSError, BadConfig):
        return None


def _has_workers() -> bool:
    return sys.platform != "win32" and linger_s() > 0
