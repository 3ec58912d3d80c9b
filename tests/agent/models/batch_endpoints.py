"""The batch APIs of OpenAI, Anthropic and Google over one queue, as `BillingServer` serves them.

A batch is worked through whether or not anybody polls, as the services do: once it is neither held
nor too young, each question is answered and billed by the code of the live endpoint.
What a test sets from the outside is `BatchKnobs`: as attributes, or as JSON sent to `/control`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import time
import uuid
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Json = dict[str, Any]
STEP_S = 0.02
"""Seconds for which a batch validates, and finalises."""
DAY_S = 86_400


@dataclass
class BatchQuestion:
    """One question of a batch, and what became of it."""

    custom_id: str
    body: Json
    place: int
    outcome: Literal["waiting", "answered", "failed", "expired", "cancelled"] = "waiting"
    reply: Json = field(default_factory=dict)
    message: str = ""


@dataclass
class CreatedBatch:
    """A batch that a service took; `status` is that of the queue, which each service words anew."""

    provider: str
    id: str
    questions: list[BatchQuestion]
    model: str = ""
    name: str = ""  # Google's display name
    metadata: dict[str, str] | None = None  # OpenAI's
    input_file: str = ""
    created_at: float = field(default_factory=time.time)
    status: Literal["validating", "in_progress", "finalizing", "ended", "rejected"] = "validating"
    cancelled: bool = False
    ended_at: float | None = None
    errors: list[Json] = field(default_factory=list)  # of the whole batch
    results_lost: bool = False
    lines_lost: set[str] = field(default_factory=set)

    @property
    def custom_ids(self) -> list[str]:
        return [question.custom_id for question in self.questions]

    @property
    def ended(self) -> bool:
        return self.status in ("ended", "rejected")

    def count(self, *outcomes: str) -> int:
        return sum(question.outcome in outcomes for question in self.questions)

    def describe(self) -> Json:
        """What `/control` and the log tell of it."""
        return {
            "provider": self.provider,
            "id": self.id,
            "custom_ids": self.custom_ids,
            "metadata": self.metadata,
            "name": self.name,
            "created_at": self.created_at,
            "status": self.status,
            "outcomes": Counter(question.outcome for question in self.questions),
        }


Choice = Collection[str | int] | Callable[[BatchQuestion], bool]
"""Questions by custom id, by place in their batch (from 0), or by a predicate."""


@dataclass
class BatchKnobs:
    """What goes otherwise than well.

    hold : batches stay in progress until `release()`.
    ready_after_s : seconds from a batch's creation until its questions are answered.
    expire : questions that come back expired, unbilled. With one, Google's whole batch expires, and
        what was answered and billed of it cannot be fetched.
    fail : questions that come back as invalid (400), unbilled.
    reject_next : the next batch is not taken as a whole. OpenAI's and Google's fail with one error
        (a text is its code); Anthropic's creation is answered 400.
    drop_reply_of_next_create : so many creations happen, and the connection is closed without a
        reply. Clients ask anew by themselves, unless told otherwise, and so create another batch.
    reply_of_create_after_s : seconds between a batch's creation and the reply that names it.
    refuse_create : the statuses (429, 500) that the next creations are answered with, in a row.
    refuse_polls : so many questions about one batch are answered 500, or `refuse_polls_with`.
    lose_results : batches end with all billed and nothing to fetch.
    lose_lines : questions that are billed and missing among the results.
    """

    hold: bool = False
    ready_after_s: float = 0.0
    expire: Choice = ()
    fail: Choice = ()
    reject_next: bool | str = False
    drop_reply_of_next_create: int = 0
    reply_of_create_after_s: float = 0.0
    refuse_create: list[int] = field(default_factory=list)
    refuse_polls: int = 0
    refuse_polls_with: int = 500
    lose_results: bool = False
    lose_lines: Choice = ()


def _is_chosen(question: BatchQuestion, choice: Choice) -> bool:
    if callable(choice):
        return choice(question)
    return question.custom_id in choice or question.place in choice


class BatchQueue:
    """All batches of a server, oldest first, and what happens to them."""

    def __init__(
        self,
        answer: Callable[[CreatedBatch, BatchQuestion], Json],
        write_log: Callable[[Json], None],
    ) -> None:
        self.knobs = BatchKnobs()
        self.batches: list[CreatedBatch] = []
        self.files: dict[str, bytes] = {}
        self._answer = answer
        self._write_log = write_log
        self._work_under_way: set[asyncio.Task[None]] = set()

    def release(self) -> None:
        """Let all batches go on at once, and later ones too."""
        self.knobs.hold = False
        self.knobs.ready_after_s = 0.0

    def add(self, batch: CreatedBatch) -> None:
        self.batches.append(batch)
        self._write_log({"event": "created"} | batch.describe())
        task = asyncio.create_task(self._work(batch))
        self._work_under_way.add(task)
        task.add_done_callback(self._work_under_way.discard)

    def find(self, provider: str, id_: str) -> CreatedBatch | None:
        mine = (batch for batch in self.batches if batch.provider == provider)
        return next((batch for batch in mine if batch.id == id_), None)

    def newest_first(self, provider: str) -> list[CreatedBatch]:
        return [batch for batch in reversed(self.batches) if batch.provider == provider]

    async def _work(self, batch: CreatedBatch) -> None:
        await asyncio.sleep(STEP_S)
        if batch.errors:
            batch.status, batch.ended_at = "rejected", time.time()
            return
        batch.status = "in_progress"
        while not self._may_go_on(batch):  # noqa: ASYNC110 - knobs are set in other threads
            await asyncio.sleep(STEP_S)
        for question in batch.questions:
            self._settle(batch, question)
            await asyncio.sleep(0)
        batch.results_lost = self.knobs.lose_results
        batch.lines_lost = {
            question.custom_id
            for question in batch.questions
            if _is_chosen(question, self.knobs.lose_lines)
        }
        batch.status = "finalizing"
        await asyncio.sleep(STEP_S)
        batch.status, batch.ended_at = "ended", time.time()

    def _may_go_on(self, batch: CreatedBatch) -> bool:
        ready = time.time() >= batch.created_at + self.knobs.ready_after_s
        return batch.cancelled or (ready and not self.knobs.hold)

    def _settle(self, batch: CreatedBatch, question: BatchQuestion) -> None:
        if batch.cancelled:
            question.outcome = "cancelled"
        elif _is_chosen(question, self.knobs.expire):
            question.outcome = "expired"
        elif _is_chosen(question, self.knobs.fail):
            question.outcome, question.message = "failed", "This question is invalid."
        else:
            try:
                question.reply = self._answer(batch, question)
                question.outcome = "answered"
            except Exception as fault:  # noqa: BLE001 - the live endpoint would answer 500
                question.outcome, question.message = "failed", repr(fault)

    def report(self) -> Json:
        return {"batches": [batch.describe() for batch in self.batches]}

    async def control(self, request: Request) -> Response:
        """Set knobs from a JSON object (`release` is one too), and tell of all batches."""
        if request.method == "POST":
            settings = await request.json()
            names = {each.name for each in dataclasses.fields(BatchKnobs)} | {"release"}
            if unknown := settings.keys() - names:
                return JSONResponse({"unknown": sorted(unknown)}, 400)
            if settings.pop("release", False):
                self.release()
            for name, value in settings.items():
                setattr(self.knobs, name, value)
        return JSONResponse(self.report())


class BatchService(ABC):
    """One provider's batch API over the queue."""

    provider: str

    def __init__(self, queue: BatchQueue) -> None:
        self.queue = queue

    @abstractmethod
    def routes(self) -> list[Route]: ...

    @abstractmethod
    def refuse(self, status: int, message: str) -> Response: ...

    @abstractmethod
    def read_batch(self, body: Json, request: Request) -> CreatedBatch | Response: ...

    @abstractmethod
    def show(self, batch: CreatedBatch, request: Request) -> Json: ...

    async def create(self, request: Request) -> Response:
        knobs = self.queue.knobs
        if knobs.refuse_create:
            return self.refuse(knobs.refuse_create.pop(0), "Not now.")
        batch = self.read_batch(await request.json(), request)
        if isinstance(batch, Response):
            return batch
        self.queue.add(batch)
        if knobs.drop_reply_of_next_create:
            knobs.drop_reply_of_next_create -= 1
            request.scope["transport"].abort()
            await asyncio.sleep(0)
        else:
            await asyncio.sleep(knobs.reply_of_create_after_s)
        return JSONResponse(self.show(batch, request))

    async def retrieve(self, request: Request) -> Response:
        if self.queue.knobs.refuse_polls > 0:
            self.queue.knobs.refuse_polls -= 1
            return self.refuse(self.queue.knobs.refuse_polls_with, "Not now.")
        batch = self.find(request)
        if batch is None:
            return self.refuse(404, "No such batch.")
        return JSONResponse(self.show(batch, request))

    async def cancel(self, request: Request) -> Response:
        batch = self.find(request)
        if batch is None:
            return self.refuse(404, "No such batch.")
        if batch.status in ("validating", "in_progress"):
            batch.cancelled = True
        return JSONResponse(self.show(batch, request))

    def find(self, request: Request) -> CreatedBatch | None:
        return self.queue.find(self.provider, request.path_params["batch"])

    def reject_next(self) -> str | None:
        """The code of the error with which the next batch fails, once."""
        code, self.queue.knobs.reject_next = self.queue.knobs.reject_next, False
        if not code:
            return None
        return code if isinstance(code, str) else "token_limit_exceeded"


class OpenAIBatches(BatchService):
    """Files in and out, batches, and a list by cursor."""

    provider = "openai"
    endpoint = "/v1/chat/completions"

    def routes(self) -> list[Route]:
        return [
            Route("/v1/files", self._upload, methods=["POST"]),
            Route("/v1/files/{file}/content", self._content),
            Route("/v1/batches", self.create, methods=["POST"]),
            Route("/v1/batches", self._list),
            Route("/v1/batches/{batch}", self.retrieve),
            Route("/v1/batches/{batch}/cancel", self.cancel, methods=["POST"]),
        ]

    def refuse(self, status: int, message: str) -> Response:
        kind = "invalid_request_error" if status < 429 else "server_error"
        error = {"message": message, "type": kind, "param": None, "code": None}
        return JSONResponse({"error": error}, status)

    async def _upload(self, request: Request) -> Response:
        parts = _read_multipart(request.headers["content-type"], await request.body())
        if parts.get("purpose") != b"batch" or "file" not in parts:
            return self.refuse(400, "A batch is made of a file whose purpose is batch.")
        name = f"file-{uuid.uuid4().hex}"
        self.queue.files[name] = parts["file"]
        return JSONResponse(
            {
                "id": name,
                "object": "file",
                "bytes": len(parts["file"]),
                "created_at": int(time.time()),
                "filename": "batch.jsonl",
                "purpose": "batch",
                "status": "processed",
            }
        )

    def read_batch(self, body: Json, request: Request) -> CreatedBatch | Response:
        if body["completion_window"] != "24h" or body["endpoint"] != self.endpoint:
            return self.refuse(400, f"Only 24h and {self.endpoint}.")
        if body["input_file_id"] not in self.queue.files:
            return self.refuse(400, "No such file.")
        batch = CreatedBatch(
            self.provider,
            f"batch_{uuid.uuid4().hex}",
            [],
            metadata=body.get("metadata"),
            input_file=body["input_file_id"],
        )
        seen: set[str] = set()
        for line in self.queue.files[batch.input_file].splitlines():
            self._read_line(batch, line, seen)
        if not batch.questions and not batch.errors:
            batch.errors.append(_line_error("empty_file", "The file holds no questions."))
        if code := self.reject_next():
            batch.errors.append(_line_error(code, "This batch is not taken."))
        return batch

    def _read_line(self, batch: CreatedBatch, line: bytes, seen: set[str]) -> None:
        place = len(batch.questions)
        try:
            asked = json.loads(line)
            question = BatchQuestion(asked["custom_id"], asked["body"], place)
            method, url, model = asked["method"], asked["url"], asked["body"]["model"]
        except (ValueError, KeyError, TypeError) as fault:
            batch.errors.append(_line_error("invalid_json_line", repr(fault), place + 1))
            return
        batch.model = batch.model or model
        if question.custom_id in seen:
            batch.errors.append(
                _line_error("duplicate_custom_id", "This custom_id stands twice.", place + 1)
            )
        if (method, url) != ("POST", self.endpoint):
            batch.errors.append(
                _line_error("mismatched_url", "Another endpoint than the batch's.", place + 1)
            )
        if model != batch.model:
            batch.errors.append(
                _line_error("mismatched_model", "Another model than the first's.", place + 1)
            )
        seen.add(question.custom_id)
        batch.questions.append(question)

    def show(self, batch: CreatedBatch, request: Request) -> Json:
        created = int(batch.created_at)
        status = self._status(batch)
        shown: Json = {
            "id": batch.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "model": batch.model,
            "errors": None,
            "input_file_id": batch.input_file,
            "completion_window": "24h",
            "status": status,
            "output_file_id": None,
            "error_file_id": None,
            "created_at": created,
            "expires_at": created + DAY_S,
            "metadata": batch.metadata,
            "request_counts": {
                "total": 0 if batch.status in ("validating", "rejected") else len(batch.questions),
                "completed": batch.count("answered"),
                "failed": batch.count("failed", "expired"),
            },
        }
        if batch.status == "rejected":
            shown["errors"] = {"object": "list", "data": batch.errors}
        if batch.ended_at is not None:
            shown[f"{status}_at"] = int(batch.ended_at)
        if batch.status == "ended" and not batch.results_lost:
            if batch.count("answered"):
                shown["output_file_id"] = f"file-output-{batch.id}"
            if batch.count("failed", "expired"):
                shown["error_file_id"] = f"file-error-{batch.id}"
        return shown

    @staticmethod
    def _status(batch: CreatedBatch) -> str:
        if batch.status == "rejected":
            return "failed"
        if batch.cancelled:
            return "cancelled" if batch.ended else "cancelling"
        if batch.status == "ended":
            return "expired" if batch.count("expired") else "completed"
        return batch.status

    async def _list(self, request: Request) -> Response:
        batches = self.queue.newest_first(self.provider)
        ids = [batch.id for batch in batches]
        after = request.query_params.get("after")
        if after is not None and after not in ids:
            return self.refuse(400, "No such batch.")
        begin = 0 if after is None else ids.index(after) + 1
        page = batches[begin : begin + int(request.query_params.get("limit", 20))]
        return JSONResponse(
            {
                "object": "list",
                "data": [self.show(batch, request) for batch in page],
                "first_id": page[0].id if page else None,
                "last_id": page[-1].id if page else None,
                "has_more": begin + len(page) < len(batches),
            }
        )

    async def _content(self, request: Request) -> Response:
        name = request.path_params["file"]
        if name in self.queue.files:
            return Response(self.queue.files[name], media_type="application/octet-stream")
        kind, _, id_ = name.removeprefix("file-").partition("-")
        batch = self.queue.find(self.provider, id_)
        if batch is None or batch.status != "ended" or batch.results_lost:
            return self.refuse(404, "No such file.")
        outcomes = ("answered",) if kind == "output" else ("failed", "expired")
        return _send_lines(
            [
                self._show_line(question)
                for question in reversed(batch.questions)
                if question.outcome in outcomes and question.custom_id not in batch.lines_lost
            ]
        )

    @staticmethod
    def _show_line(question: BatchQuestion) -> Json:
        """An invalid question has a response, of status 400; an expired one has none."""
        line: Json = {
            "id": f"batch_req_{uuid.uuid4().hex}",
            "custom_id": question.custom_id,
            "response": None,
            "error": None,
        }
        if question.outcome == "expired":
            message = "This request could not be executed before the completion window expired."
            return line | {"error": {"code": "batch_expired", "message": message}}
        status, body = 200, question.reply
        if question.outcome == "failed":
            error = {"type": "invalid_request_error", "param": None, "code": None}
            status, body = 400, {"error": {"message": question.message} | error}
        response = {"status_code": status, "request_id": uuid.uuid4().hex, "body": body}
        return line | {"response": response}


class AnthropicBatches(BatchService):
    """Batches with their questions inside, and results as lines in another order."""

    provider = "anthropic"

    def routes(self) -> list[Route]:
        return [
            Route("/v1/messages/batches", self.create, methods=["POST"]),
            Route("/v1/messages/batches", self._list),
            Route("/v1/messages/batches/{batch}", self.retrieve),
            Route("/v1/messages/batches/{batch}/results", self._results),
            Route("/v1/messages/batches/{batch}/cancel", self.cancel, methods=["POST"]),
        ]

    def refuse(self, status: int, message: str) -> Response:
        kinds = {400: "invalid_request_error", 404: "not_found_error", 429: "rate_limit_error"}
        error = {"type": kinds.get(status, "api_error"), "message": message}
        return JSONResponse({"type": "error", "error": error}, status)

    def read_batch(self, body: Json, request: Request) -> CreatedBatch | Response:
        asked = body["requests"]
        ids = [each["custom_id"] for each in asked]
        if self.reject_next() or not ids or len(set(ids)) < len(ids):
            return self.refuse(400, "This batch is not taken.")
        if not all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", each) for each in ids):
            return self.refuse(400, "A custom_id has 1 to 64 letters, digits, _ and -.")
        return CreatedBatch(
            self.provider,
            f"msgbatch_{uuid.uuid4().hex}",
            [
                BatchQuestion(each["custom_id"], each["params"], place)
                for place, each in enumerate(asked)
            ],
            model=asked[0]["params"]["model"],
        )

    def show(self, batch: CreatedBatch, request: Request) -> Json:
        counted = {
            "succeeded": batch.count("answered"),
            "errored": batch.count("failed"),
            "canceled": batch.count("cancelled"),
            "expired": batch.count("expired"),
        }
        counts = {"processing": 0} | counted
        if not batch.ended:  # all count as under way until the last one is done
            counts = dict.fromkeys(counts, 0) | {"processing": len(batch.questions)}
        status = "canceling" if batch.cancelled else "in_progress"
        fetchable = batch.ended and not batch.results_lost
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if batch.ended else status,
            "request_counts": counts,
            "created_at": _when(batch.created_at),
            "expires_at": _when(batch.created_at + DAY_S),
            "ended_at": None if batch.ended_at is None else _when(batch.ended_at),
            "cancel_initiated_at": _when(batch.created_at) if batch.cancelled else None,
            "archived_at": None,
            "results_url": (
                f"{request.base_url}v1/messages/batches/{batch.id}/results" if fetchable else None
            ),
        }

    async def _list(self, request: Request) -> Response:
        asked = request.query_params
        batches = self.queue.newest_first(self.provider)
        ids = [batch.id for batch in batches]
        limit = int(asked.get("limit", 20))
        cursor = asked.get("after_id") or asked.get("before_id")
        if cursor is not None and cursor not in ids:
            return self.refuse(404, "No such batch.")
        if "before_id" in asked:
            end = ids.index(asked["before_id"])
            begin = max(0, end - limit)
            more = begin > 0
        else:
            begin = ids.index(asked["after_id"]) + 1 if "after_id" in asked else 0
            end = begin + limit
            more = end < len(ids)
        page = batches[begin:end]
        return JSONResponse(
            {
                "data": [self.show(batch, request) for batch in page],
                "has_more": more,
                "first_id": page[0].id if page else None,
                "last_id": page[-1].id if page else None,
            }
        )

    async def _results(self, request: Request) -> Response:
        batch = self.find(request)
        if batch is None or not batch.ended or batch.results_lost:
            return self.refuse(404, "No results.")
        return _send_lines(
            [
                {"custom_id": question.custom_id, "result": self._show_result(question)}
                for question in reversed(batch.questions)
                if question.custom_id not in batch.lines_lost
            ]
        )

    @staticmethod
    def _show_result(question: BatchQuestion) -> Json:
        if question.outcome == "answered":
            return {"type": "succeeded", "message": question.reply}
        if question.outcome == "failed":
            error = {"type": "invalid_request_error", "message": question.message}
            return {"type": "errored", "error": {"type": "error", "error": error}}
        return {"type": {"cancelled": "canceled"}.get(question.outcome, question.outcome)}


class GoogleBatches(BatchService):
    """Files by the resumable protocol, and batches as operations."""

    provider = "google"

    def __init__(self, queue: BatchQueue) -> None:
        super().__init__(queue)
        self._uploads: dict[str, bytearray] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/upload/v1beta/files", self._begin_upload, methods=["POST"]),
            Route("/upload/v1beta/files/{file}", self._upload, methods=["POST"]),
            Route("/v1beta/files/{file}:download", self._download),
            Route("/v1beta/models/{model}:batchGenerateContent", self.create, methods=["POST"]),
            Route("/v1beta/batches", self._list),
            Route("/v1beta/batches/{batch}:cancel", self.cancel, methods=["POST"]),
            Route("/v1beta/batches/{batch}", self.retrieve),
        ]

    def refuse(self, status: int, message: str) -> Response:
        words = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
        error = {"code": status, "message": message, "status": words.get(status, "INTERNAL")}
        return JSONResponse({"error": error}, status)

    async def _begin_upload(self, request: Request) -> Response:
        if request.headers.get("x-goog-upload-command") != "start":
            return self.refuse(400, "An upload begins with start.")
        name = uuid.uuid4().hex[:12]
        self._uploads[name] = bytearray()
        url = f"{request.base_url}upload/v1beta/files/{name}"
        return JSONResponse(
            {}, headers={"x-goog-upload-url": url, "x-goog-upload-status": "active"}
        )

    async def _upload(self, request: Request) -> Response:
        name = request.path_params["file"]
        content = self._uploads.get(name)
        if content is None or int(request.headers["x-goog-upload-offset"]) != len(content):
            return self.refuse(400, "Not what comes next of an upload.")
        content += await request.body()
        if "finalize" not in request.headers["x-goog-upload-command"]:
            return JSONResponse({}, headers={"x-goog-upload-status": "active"})
        self.queue.files[f"files/{name}"] = bytes(self._uploads.pop(name))
        shown = {
            "name": f"files/{name}",
            "uri": f"{request.base_url}v1beta/files/{name}",
            "mimeType": "application/jsonl",
            "sizeBytes": str(len(content)),
            "state": "ACTIVE",
            "source": "UPLOADED",
        }
        return JSONResponse({"file": shown}, headers={"x-goog-upload-status": "final"})

    def read_batch(self, body: Json, request: Request) -> CreatedBatch | Response:
        asked = body["batch"]
        name = asked["inputConfig"].get("fileName")
        if name not in self.queue.files:
            return self.refuse(400, "No such file.")
        lines = [json.loads(line) for line in self.queue.files[name].splitlines()]
        batch = CreatedBatch(
            self.provider,
            uuid.uuid4().hex,
            [
                BatchQuestion(line["key"], _to_camel_case(line["request"]), place)
                for place, line in enumerate(lines)
            ],
            model=f"models/{request.path_params['model']}",
            name=asked["displayName"],
            input_file=name,
        )
        if code := self.reject_next():
            batch.errors.append({"code": 3, "message": f"This batch is not taken: {code}."})
        return batch

    def show(self, batch: CreatedBatch, request: Request) -> Json:
        state = self._state(batch)
        stats = {
            "requestCount": str(len(batch.questions)),
            "successfulRequestCount": str(batch.count("answered")),
            "failedRequestCount": str(batch.count("failed")),
        }
        metadata: Json = {
            "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
            "name": f"batches/{batch.id}",
            "displayName": batch.name,
            "model": batch.model,
            "inputConfig": {"fileName": batch.input_file},
            "createTime": _when(batch.created_at),
            "updateTime": _when(batch.ended_at or batch.created_at),
            "batchStats": stats,
            "state": f"BATCH_STATE_{state}",
        }
        shown: Json = {"name": f"batches/{batch.id}", "metadata": metadata}
        if batch.ended_at is not None:
            metadata["endTime"] = _when(batch.ended_at)
            shown["done"] = True
        if batch.status == "rejected":
            shown["error"] = batch.errors[0]
        if state == "SUCCEEDED" and not batch.results_lost:
            metadata["output"] = {"responsesFile": f"files/batch-{batch.id}"}
            shown["response"] = metadata["output"]
        return shown

    @staticmethod
    def _state(batch: CreatedBatch) -> str:
        if batch.status == "rejected":
            return "FAILED"
        if batch.status == "validating":
            return "PENDING"
        if batch.status != "ended":
            return "RUNNING"
        if batch.cancelled:
            return "CANCELLED"
        return "EXPIRED" if batch.count("expired") else "SUCCEEDED"

    async def _list(self, request: Request) -> Response:
        batches = self.queue.newest_first(self.provider)
        begin = int(request.query_params.get("pageToken", 0))
        end = begin + int(request.query_params.get("pageSize", 50))
        page: Json = {"operations": [self.show(batch, request) for batch in batches[begin:end]]}
        if end < len(batches):
            page["nextPageToken"] = str(end)
        return JSONResponse(page)

    async def _download(self, request: Request) -> Response:
        id_ = request.path_params["file"].removeprefix("batch-")
        batch = self.queue.find(self.provider, id_)
        if batch is None or self._state(batch) != "SUCCEEDED" or batch.results_lost:
            return self.refuse(404, "No such file.")
        return _send_lines(
            [
                {"key": question.custom_id, "response": question.reply}
                if question.outcome == "answered"
                else {"key": question.custom_id, "error": {"code": 3, "message": question.message}}
                for question in batch.questions
                if question.custom_id not in batch.lines_lost
            ]
        )


def _line_error(code: str, message: str, line: int | None = None) -> Json:
    return {"code": code, "message": message, "param": None, "line": line}


def _send_lines(lines: list[Json]) -> Response:
    return Response(
        "".join(json.dumps(line) + "\n" for line in lines), media_type="application/x-jsonl"
    )


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _read_multipart(content_type: str, body: bytes) -> dict[str, bytes]:
    """Parts of a form by name."""
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    assert boundary is not None
    parts: dict[str, bytes] = {}
    for part in body.split(b"--" + boundary[1].encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'[ ;]name="([^"]+)"', head)
        assert name is not None
        parts[name[1].decode()] = content.removesuffix(b"\r\n")
    return parts


def _to_camel_case(value: Any) -> Any:
    """JSON with names as Google's live endpoint takes them; a file may hold `snake_case` too."""
    if isinstance(value, list):
        return [_to_camel_case(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        re.sub(r"_([a-z])", lambda found: found[1].upper(), name): _to_camel_case(each)
        for name, each in value.items()
    }
