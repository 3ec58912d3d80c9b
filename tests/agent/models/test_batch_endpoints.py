"""The test server's batch APIs, asked by the providers' own clients and by inspect_ai."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
from inspect_ai.model import BatchConfig, GenerateConfig, get_model

from tests.agent.models.billing_server import BillingServer

# inspect_ai calls tenacity, and Google's client aiohttp, in deprecated ways
pytestmark = [
    pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
]

ROOT = Path(__file__).parents[3]
WORDS = ("one", "two", "three")
BATCH = BatchConfig(size=3, tick=0.05, send_delay=0.2)
CLAUDE = "claude-sonnet-5-5"
GEMINI = "gemini-3.8-flash"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BillingServer]:
    with BillingServer().running(monkeypatch) as running:
        yield running


@asynccontextmanager
async def openai_client() -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(max_retries=0) as client:
        yield client


@asynccontextmanager
async def anthropic_client() -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(max_retries=0) as client:
        yield client


def chat_line(word: str, model: str = "gpt-4o") -> bytes:
    body = {"model": model, "messages": [{"role": "user", "content": word}]}
    line = {"custom_id": word, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(line).encode() + b"\n"


async def create_openai(
    client: openai.AsyncOpenAI, lines: bytes = b"".join(map(chat_line, WORDS))
) -> Any:
    file = await client.files.create(file=io.BytesIO(lines), purpose="batch")
    return await client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"study": "first"},
    )


async def end_of_openai(client: openai.AsyncOpenAI, id_: str) -> Any:
    async with asyncio.timeout(5):
        while True:
            batch = await client.batches.retrieve(id_)
            if batch.status in {"completed", "failed", "expired", "cancelled"}:
                return batch
            await asyncio.sleep(0.02)


async def read_file(client: openai.AsyncOpenAI, name: str) -> list[dict[str, Any]]:
    content = await (await client.files.content(name)).aread()
    return [json.loads(line) for line in content.splitlines()]


async def create_anthropic(client: anthropic.AsyncAnthropic) -> Any:
    return await client.messages.batches.create(
        requests=[
            {
                "custom_id": word,
                "params": {
                    "model": CLAUDE,
                    "max_tokens": 9,
                    "messages": [{"role": "user", "content": word}],
                },
            }
            for word in WORDS
        ]
    )


async def end_of_anthropic(client: anthropic.AsyncAnthropic, id_: str) -> Any:
    async with asyncio.timeout(5):
        while True:
            batch = await client.messages.batches.retrieve(id_)
            if batch.processing_status == "ended":
                return batch
            await asyncio.sleep(0.02)


async def read_results(client: anthropic.AsyncAnthropic, id_: str) -> dict[str, Any]:
    results = await client.messages.batches.results(id_)
    return {each.custom_id: each.result async for each in results}


def test_openai_batch_from_file_to_results(server: BillingServer) -> None:
    async def ask() -> None:
        async with openai_client() as client:
            server.knobs.hold = True
            batch = await create_openai(client)
            assert (batch.status, batch.metadata) == ("validating", {"study": "first"})
            async with asyncio.timeout(5):
                while batch.status != "in_progress":
                    batch = await client.batches.retrieve(batch.id)
            assert server.batch_bills == []
            server.release()
            ended = await end_of_openai(client, batch.id)
            assert ended.status == "completed"
            assert (ended.request_counts.completed, ended.request_counts.total) == (3, 3)
            assert ended.error_file_id is None
            lines = await read_file(client, ended.output_file_id)
            assert [line["custom_id"] for line in lines] == ["three", "two", "one"]
            for line in lines:
                reply = openai.types.chat.ChatCompletion.model_validate(line["response"]["body"])
                assert reply.choices[0].message.content == "Yes"
                assert reply.usage is not None

    asyncio.run(ask())
    assert [each.custom_id for each in server.batch_bills] == list(WORDS)
    assert [each.bill for each in server.batch_bills] == server.bills
    assert len({each.question for each in server.batch_bills}) == 3
    assert server.batches[0].metadata == {"study": "first"}


def test_openai_lists_the_newest_first_page_by_page(server: BillingServer) -> None:
    async def ask() -> tuple[list[str], list[str]]:
        async with openai_client() as client:
            made = [(await create_openai(client)).id for _ in range(5)]
            return made, [batch.id async for batch in client.batches.list(limit=2)]

    made, listed = asyncio.run(ask())
    assert listed == made[::-1]
    assert [batch.id for batch in server.batches] == made


def test_openai_invalid_and_expired_questions_are_in_the_error_file(server: BillingServer) -> None:
    async def ask() -> tuple[Any, dict[str, Any], list[Any]]:
        async with openai_client() as client:
            server.knobs.expire = ["one"]
            server.knobs.fail = [1]
            ended = await end_of_openai(client, (await create_openai(client)).id)
            wrong = await read_file(client, ended.error_file_id)
            right = await read_file(client, ended.output_file_id)
            return ended, {line["custom_id"]: line for line in wrong}, right

    ended, wrong, right = asyncio.run(ask())
    assert ended.status == "expired"
    assert (ended.request_counts.completed, ended.request_counts.failed) == (1, 2)
    assert wrong["one"]["error"]["code"] == "batch_expired"
    assert wrong["one"]["response"] is None
    assert wrong["two"]["error"] is None
    assert wrong["two"]["response"]["status_code"] == 400
    assert [line["custom_id"] for line in right] == ["three"]
    assert [each.custom_id for each in server.batch_bills] == ["three"]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (b"", "empty_file"),
        (b"{}\n", "invalid_json_line"),
        (chat_line("one") * 2, "duplicate_custom_id"),
        (chat_line("one") + chat_line("two", "gpt-5"), "mismatched_model"),
        (chat_line("one").replace(b"/v1/chat", b"/v2/chat"), "mismatched_url"),
    ],
)
def test_openai_validates(server: BillingServer, lines: bytes, code: str) -> None:
    async def ask() -> Any:
        async with openai_client() as client:
            return await end_of_openai(client, (await create_openai(client, lines)).id)

    failed = asyncio.run(ask())
    assert failed.status == "failed"
    assert [error.code for error in failed.errors.data] == [code]
    assert server.bills == []


def test_openai_troubles(server: BillingServer) -> None:
    async def ask() -> None:
        async with openai_client() as client:
            server.knobs.refuse_create = [429, 500]
            with pytest.raises(openai.RateLimitError):
                await create_openai(client)
            with pytest.raises(openai.InternalServerError):
                await create_openai(client)
            assert server.batches == []
            server.knobs.drop_reply_of_next_create = True
            with pytest.raises(openai.APIConnectionError):
                await create_openai(client)
            assert len(server.batches) == 1
            server.knobs.reject_next = "token_limit_exceeded"
            failed = await end_of_openai(client, (await create_openai(client)).id)
            assert failed.errors.data[0].code == "token_limit_exceeded"
            server.knobs.refuse_polls = 1
            with pytest.raises(openai.InternalServerError):
                await client.batches.retrieve(failed.id)
            server.knobs.lose_results = True
            ended = await end_of_openai(client, (await create_openai(client)).id)
            assert (ended.status, ended.output_file_id, ended.error_file_id) == (
                "completed",
                None,
                None,
            )
            server.knobs.lose_results, server.knobs.lose_lines = False, [1]
            ended = await end_of_openai(client, (await create_openai(client)).id)
            lines = await read_file(client, ended.output_file_id)
            assert [line["custom_id"] for line in lines] == ["three", "one"]
            server.knobs.hold = True
            batch = await client.batches.cancel((await create_openai(client)).id)
            assert batch.status == "cancelling"
            assert (await end_of_openai(client, batch.id)).status == "cancelled"

    asyncio.run(ask())
    bills = Counter(each.question for each in server.batch_bills)
    assert sorted(bills.values()) == [3, 3, 3]  # a lost reply, lost results and a lost line


def test_a_creation_can_be_answered_late(server: BillingServer) -> None:
    async def ask() -> None:
        server.knobs.reply_of_create_after_s = 9
        async with openai_client() as client:
            with pytest.raises(openai.APITimeoutError):
                await create_openai(client.with_options(timeout=0.3))

    asyncio.run(ask())
    assert [batch.custom_ids for batch in server.batches] == [list(WORDS)]
    assert len(server.batch_bills) == 3


def test_anthropic_batch_from_questions_to_results(server: BillingServer) -> None:
    async def ask() -> dict[str, Any]:
        async with anthropic_client() as client:
            server.knobs.hold = True
            batch = await create_anthropic(client)
            assert (batch.processing_status, batch.request_counts.processing) == ("in_progress", 3)
            with pytest.raises(anthropic.AnthropicError, match="results_url"):
                await client.messages.batches.results(batch.id)
            server.release()
            ended = await end_of_anthropic(client, batch.id)
            assert (ended.request_counts.succeeded, ended.request_counts.processing) == (3, 0)
            return await read_results(client, batch.id)

    results = asyncio.run(ask())
    assert list(results) == ["three", "two", "one"]
    for result in results.values():
        assert result.message.content[0].text == "Yes"
    assert [each.custom_id for each in server.batch_bills] == list(WORDS)


def test_anthropic_lists_the_newest_first_page_by_page(server: BillingServer) -> None:
    async def ask() -> tuple[list[str], list[str], list[str]]:
        async with anthropic_client() as client:
            made = [(await create_anthropic(client)).id for _ in range(5)]
            batches = client.messages.batches
            listed = [batch.id async for batch in batches.list(limit=2)]
            before = [batch.id async for batch in batches.list(limit=2, before_id=made[0])]
            return made, listed, before

    made, listed, before = asyncio.run(ask())
    assert listed == made[::-1]
    assert sorted(before) == sorted(made[1:])


def test_anthropic_troubles(server: BillingServer) -> None:
    async def ask() -> None:
        async with anthropic_client() as client:
            server.knobs.expire, server.knobs.fail = [0], ["two"]
            ended = await end_of_anthropic(client, (await create_anthropic(client)).id)
            types = {
                name: each.type for name, each in (await read_results(client, ended.id)).items()
            }
            assert types == {"one": "expired", "two": "errored", "three": "succeeded"}
            server.knobs.expire = server.knobs.fail = ()
            server.knobs.refuse_create = [500]
            with pytest.raises(anthropic.InternalServerError):
                await create_anthropic(client)
            server.knobs.reject_next = True
            with pytest.raises(anthropic.BadRequestError):
                await create_anthropic(client)
            assert len(server.batches) == 1
            server.knobs.drop_reply_of_next_create = True
            with pytest.raises(anthropic.APIConnectionError):
                await create_anthropic(client)
            assert len(server.batches) == 2
            server.knobs.lose_results = True
            ended = await end_of_anthropic(client, (await create_anthropic(client)).id)
            with pytest.raises(anthropic.AnthropicError, match="results_url"):
                await client.messages.batches.results(ended.id)
            server.knobs.lose_results = False
            server.knobs.hold = True
            batch = await client.messages.batches.cancel((await create_anthropic(client)).id)
            assert batch.processing_status == "canceling"
            ended = await end_of_anthropic(client, batch.id)
            assert ended.request_counts.canceled == 3
            results = await read_results(client, ended.id)
            assert [each.type for each in results.values()] == ["canceled"] * 3

    asyncio.run(ask())


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # its client of Google's batches
@pytest.mark.filterwarnings("ignore:Unclosed:ResourceWarning")
@pytest.mark.parametrize("name", ["openai/gpt-4o", f"anthropic/{CLAUDE}", f"google/{GEMINI}"])
def test_inspect_asks_in_batches(server: BillingServer, name: str) -> None:
    """Words only: inspect_ai 0.3.285 cannot put a picture into a batch of Google's."""
    if name.startswith("google"):
        pytest.importorskip("google.genai")
    answers = asyncio.run(ask_through_inspect(name))
    gc.collect()  # streams that it leaves open, while warnings of them are ignored
    assert answers == ["Yes"] * 3
    assert [len(batch.custom_ids) for batch in server.batches] == [3]
    assert len(server.batch_bills) == len(server.bills) == 3


async def ask_through_inspect(name: str, words: tuple[str, ...] = WORDS) -> list[str]:
    model = get_model(name, config=GenerateConfig(batch=BATCH, max_connections=9), memoize=False)
    async with model, asyncio.timeout(20):
        outputs = await asyncio.gather(*(model.generate(word) for word in words))
    return [output.completion for output in outputs]


@contextmanager
def server_process(folder: Path, *options: str) -> Iterator[tuple[str, Path]]:
    """Address and log of a server in a process of its own."""
    port, log = folder / "port", folder / "log.jsonl"
    module = [sys.executable, "-m", "tests.agent.models.billing_server"]
    process = subprocess.Popen(
        [*module, "--port-file", str(port), "--log", str(log), *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        wait_for_file(port, process)
        yield f"http://127.0.0.1:{port.read_text()}", log
    finally:
        process.terminate()
        assert process.wait(10) in (0, -15)


def wait_for_file(path: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_server_of_its_own_is_told_by_control_and_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server_process(tmp_path, "--hold-s", "600") as (url, log):
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "loopback")

        async def create() -> Any:
            async with openai_client() as client:
                return await create_openai(client)

        async def wait(id_: str) -> Any:
            async with openai_client() as client:
                return await end_of_openai(client, id_)

        batch = asyncio.run(create())
        told = httpx.get(f"{url}/control").json()["batches"][0]
        assert (told["id"], told["custom_ids"]) == (batch.id, list(WORDS))
        assert httpx.post(f"{url}/control", json={"held": True}).status_code == 400
        httpx.post(f"{url}/control", json={"release": True}).raise_for_status()
        assert asyncio.run(wait(batch.id)).status == "completed"
        lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["created", *["billed"] * 3]
    assert [line["custom_id"] for line in lines[1:]] == list(WORDS)
    assert lines[0]["custom_ids"] == list(WORDS)


def test_google_batch_from_file_to_results(server: BillingServer, tmp_path: Path) -> None:
    genai = pytest.importorskip("google.genai")
    file = tmp_path / "asked.jsonl"
    file.write_text("".join(map(content_line, WORDS)))

    async def ask() -> None:
        client = genai.Client(api_key="loopback", http_options={"base_url": server.url}).aio
        upload = await client.files.upload(file=file, config={"mime_type": "application/jsonl"})

        async def create(name: str) -> Any:
            config = {"display_name": name}
            return await client.batches.create(model=GEMINI, src=upload.name, config=config)

        async def end(id_: str) -> Any:
            async with asyncio.timeout(5):
                job = await client.batches.get(name=id_)
                while not job.done:
                    await asyncio.sleep(0.02)
                    job = await client.batches.get(name=id_)
            return job

        async with client:
            server.knobs.fail = [1]
            job = await end((await create("first")).name)
            assert (job.state.name, job.display_name) == ("JOB_STATE_SUCCEEDED", "first")
            content = await client.files.download(file=job.dest.file_name)
            lines = [json.loads(line) for line in content.splitlines()]
            assert [line["key"] for line in lines] == list(WORDS)
            assert [line.get("error", {}).get("code") for line in lines] == [None, 3, None]
            server.knobs.reject_next = True
            assert (await end((await create("second")).name)).state.name == "JOB_STATE_FAILED"
            server.knobs.expire = ["one"]
            assert (await end((await create("third")).name)).state.name == "JOB_STATE_EXPIRED"
            server.knobs.refuse_create = [429]
            with pytest.raises(genai.errors.ClientError, match="429"):
                await create("never")
            listed = await client.batches.list(config={"page_size": 2})
            assert [job.display_name async for job in listed] == ["third", "second", "first"]
            server.knobs.hold = True
            job = await create("fourth")
            await client.batches.cancel(name=job.name)
            assert (await end(job.name)).state.name == "JOB_STATE_CANCELLED"

    asyncio.run(ask())
    first = server.batches[0]
    assert [each.custom_id for each in server.batch_bills if each.batch == first.id] == [
        "one",
        "three",
    ]


def content_line(word: str) -> str:
    contents = [{"role": "user", "parts": [{"text": word}]}]
    asked = {"contents": contents, "system_instruction": {"parts": [{"text": "Say yes."}]}}
    return json.dumps({"key": word, "request": asked}) + "\n"
