"""The worker: one model or encoder, loaded once, that answers users of this machine.

Started by a keeper as ``python -m agent.models.local_server.worker ORDER --host H --port P``. It
listens on loopback and answers nobody without its key. Frames and questions are not written down.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import select
import socket
import sys
import threading
import traceback
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillAsked
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from agent.errors import AgentError, ModelFailed
from agent.models import load_here
from agent.models.base import Model, Question, Reply
from agent.models.local_server import worker_messages as messages
from agent.models.local_server.runtime_folder import MARK, ServerFolder
from agent.models.local_server.turns import Turns
from agent.models.local_server.worker_errors import write_error
from agent.models.local_server.worker_recipe import KEY_VARIABLE, WorkerOrder, code_fingerprint
from store.encoders import Encoder
from store.encoders import load as load_encoder
from store.errors import StoreError
from store.jsonl.atomic import write_whole

LONGEST = 2**28  # bytes of a question with its frames
_LOOK_S = 0.5  # how often it looks whether whoever asked, or its keeper, is still there


class Worker:
    """What is loaded, and the event loop that models answer in."""

    def __init__(self) -> None:
        self.model: Model | None = None
        self.encoder: Encoder | None = None
        self.ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._turns = Turns()

    def load(self, order: WorkerOrder) -> None:
        """Load what was ordered; raises what loading it raises."""
        if order.code != code_fingerprint():
            raise ModelFailed(
                "feedsway or a package changed while this started. Type the same command again"
            )
        if order.folder is not None:
            os.chdir(order.folder)
        if order.kind == "encoder":
            self.encoder = load_encoder(order.name)
        else:
            self.model = load_here(order.name, **order.settings)
            if (name := self.model.capabilities.encoder) is not None:
                self.encoder = load_encoder(name, order.settings.get("device"))
        self.ready.set()

    def answer_forever(self) -> None:
        self._loop.run_forever()

    def describe(self) -> bytes:
        """Say everything that a user's model or encoder is asked about itself."""
        model, encoder = self.model, self.encoder
        told: dict[str, Any] = {}
        if model is not None:
            told["model"] = messages.describe_model(model)
        if encoder is not None:
            told["encoder"] = {"id": encoder.id, "dim": encoder.dim}
        return json.dumps(told).encode()

    def ask(self, user: str, body: bytes) -> Future[Reply]:
        """Begin to answer a question of a user, once its turn has come."""
        question = messages.read_question(body)
        return asyncio.run_coroutine_threadsafe(self._ask(user, question), self._loop)

    async def _ask(self, user: str, question: Question) -> Reply:
        if self.model is None:
            raise ModelFailed("This worker has no model")
        async with self._turns.of(user):
            return await self.model.ask(question)

    def encode(self, body: bytes) -> bytes:
        if self.encoder is None:
            raise ModelFailed("This worker has no encoder")
        asked = json.loads(body)
        if "texts" in asked:
            return messages.write_vectors(self.encoder.texts(asked["texts"]))
        return messages.write_vectors(self.encoder.images(messages.read_pictures(asked["images"])))


class WorkerServer(ThreadingHTTPServer):
    """The worker's door on loopback."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], worker: Worker, key: str) -> None:
        super().__init__(address, _Request)
        self.worker = worker
        self.key = key


class _Request(BaseHTTPRequestHandler):
    """One question of one user."""

    server: WorkerServer

    def do_GET(self) -> None:
        if self._may_ask():
            self._send(HTTPStatus.OK, self.server.worker.describe())

    def do_POST(self) -> None:
        if not self._may_ask():
            return
        length = int(self.headers.get("Content-Length") or 0)
        if length > LONGEST:
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"{}")
            return
        body = self.rfile.read(length)
        if len(body) < length:
            return  # whoever asked was killed
        try:
            answer = self._answer(body)
        except (AgentError, StoreError) as error:
            self._send_error(error)
        except Exception as error:  # noqa: BLE001 - whatever a library raises, its user shall know
            traceback.print_exc()
            self._send_error(error)
        else:
            if answer is not None:
                self._send(HTTPStatus.OK, answer)

    def _answer(self, body: bytes) -> bytes | None:
        worker = self.server.worker
        if self.path == "/v1/encode":
            return worker.encode(body)
        under_way = worker.ask(self.headers.get(messages.USER) or "", body)
        while True:
            try:
                return messages.write_reply(under_way.result(_LOOK_S))
            except StillAsked:
                if under_way.done():
                    raise
                if self._is_gone():
                    under_way.cancel()
                    return None

    def _is_gone(self) -> bool:
        """Tell whether whoever asked has given up."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def _may_ask(self) -> bool:
        given = self.headers.get("Authorization") or ""
        if not hmac.compare_digest(given.encode(), f"Bearer {self.server.key}".encode()):
            self._send(HTTPStatus.UNAUTHORIZED, b"{}")
        elif not self.server.worker.ready.is_set():
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, b"{}")
        else:
            return True
        return False

    def _send_error(self, error: Exception) -> None:
        body = json.dumps(write_error(error)).encode()
        self._send(HTTPStatus.UNPROCESSABLE_ENTITY, body)

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Write no line for each question."""


def main() -> None:
    order, host, port = WorkerOrder.from_json(sys.argv[1]), sys.argv[3], int(sys.argv[5])
    folder = ServerFolder(Path(os.environ[MARK]))
    worker, keeper = Worker(), os.getppid()
    server = WorkerServer((host, port), worker, os.environ.pop(KEY_VARIABLE))
    for work in (server.serve_forever, lambda: _end_with(keeper)):
        threading.Thread(target=work, daemon=True).start()
    try:
        worker.load(order)
    except (AgentError, StoreError) as error:
        write_whole(folder.failure, json.dumps(write_error(error)).encode(), sync=False)
        raise
    worker.answer_forever()


def _end_with(keeper: int) -> None:
    """End this process where its keeper was killed, on systems whose kernel does not do it."""
    pause = threading.Event()
    while os.getppid() == keeper:
        pause.wait(_LOOK_S)
    os._exit(1)


if __name__ == "__main__":
    main()
