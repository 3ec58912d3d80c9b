"""Workers: one process for each model, shared, that dies of nothing that its users do."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from agent.daemon.process.child import MARK as DAEMON_MARK
from agent.errors import (
    AgentError,
    BadConfig,
    Filtered,
    MissingExtra,
    ModelFailed,
    NotSignedIn,
    SlowDown,
    UnknownName,
)
from agent.evaluation.question_engine import open_models
from agent.models import ModelRequest, Question, Reply, load, load_here
from agent.models.local_server import lease, worker_messages, worker_recipe
from agent.models.local_server.warm_model import (
    WarmEncoder,
    WarmModel,
    WorkerConnection,
    open_encoder,
    open_warm_model,
)
from agent.models.local_server.worker_errors import read_error, write_error
from agent.models.local_server.worker_recipe import encoder_recipe, model_recipe
from personas import strategies
from store.encoders.registry import find_checkpoint
from store.errors import EncoderUnavailable, StoreError, UnknownEncoder
from tests.agent.models import tiny
from tests.agent.models.made_models import GUITARIST, frame
from tests.agent.models.worker_machine import LINGER_S, WorkerMachine, worker_machine
from tests.e2e.commands import until

SLOW = "scripted/yes?latency=0.5"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerMachine]:
    with worker_machine(tmp_path, monkeypatch) as made:
        yield made


def opened(name: str) -> WarmModel:
    model = open_warm_model(name, {})
    assert model is not None
    return model


def question(colour: str = "red", **more: Any) -> Question:
    return Question(
        strategies.build("simple", GUITARIST), (frame(colour=colour),), "A song", **more
    )


def ask(model: Any) -> Reply:
    reply: Reply = asyncio.run(model.ask(question()))
    return reply


# What is said is what the model said


@given(
    p_yes=st.floats(allow_nan=False) | st.none(),
    vector=st.lists(st.floats(width=32, allow_nan=False), max_size=3).map(tuple) | st.none(),
    text=st.text(),
)
def test_a_reply_comes_back_bit_for_bit(
    p_yes: float | None, vector: tuple[float, ...] | None, text: str
) -> None:
    said = Reply(text, p_yes=p_yes, image_vector=vector, notes={"mass": "0.5"}, input_tokens=3)
    assert worker_messages.read_reply(worker_messages.write_reply(said)) == said


def test_a_question_comes_across_with_all_that_it_holds() -> None:
    asked = question(explain=True, repeat=2, sitting="s1")
    assert worker_messages.read_question(worker_messages.write_question(asked)) == asked


@pytest.mark.parametrize("whole", [b"", b'{"text": "Ye', b"[]", b'{"p_yes": 0.5}', b'{"text": 3}'])
def test_half_a_reply_is_none(whole: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        worker_messages.read_reply(whole)


@pytest.mark.parametrize(
    "error",
    [
        BadConfig("Type: this"),
        MissingExtra("What it needs", "pip install it"),
        UnknownName("model", "x", ("xy",), "Type: y"),
        NotSignedIn("a site", "me"),
        Filtered("held back", input_tokens=3, cost_usd=0.25),
        SlowDown("slow", kind="X"),
        UnknownEncoder("what"),
        EncoderUnavailable("e", "no weights", "Type: z"),
    ],
)
def test_an_error_is_the_same_error(error: AgentError | StoreError) -> None:
    again = read_error(write_error(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_an_error_of_a_library_is_a_failed_model_without_its_words() -> None:
    again = read_error(write_error(RuntimeError("key=secret")))
    assert type(again) is ModelFailed
    assert "secret" not in str(again)
    assert type(read_error({"error": "SystemExit", "message": "", "details": {}})) is ModelFailed


def test_pictures_and_vectors_come_across_exactly() -> None:
    picture = Image.effect_noise((7, 5), 90).convert("P")
    sent = json.loads(worker_messages.write_pictures([picture]))["images"]
    (again,) = worker_messages.read_pictures(sent)
    assert again.tobytes() == picture.convert("RGB").tobytes()
    vectors = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    assert (worker_messages.read_vectors(worker_messages.write_vectors(vectors)) == vectors).all()
    nothing = np.empty((0, 4), np.float32)
    assert worker_messages.read_vectors(worker_messages.write_vectors(nothing)).shape == (0, 4)


# One worker


def test_it_stands_in_for_the_model_in_everything_that_is_recorded(machine: WorkerMachine) -> None:
    """And is another process, which nobody's Ctrl-C reaches, and which ends by itself."""
    name = "scripted/coin?p=0.5&seed=3"
    warm, here = opened(name), load_here(name)
    for what in ("name", "about", "settings", "fingerprint", "meters", "capabilities"):
        assert getattr(warm, what) == getattr(here, what)
    for colour in ("red", "green", "blue", "white"):
        assert asyncio.run(warm.ask(question(colour))) == asyncio.run(here.ask(question(colour)))
    worker, (keeper,) = machine.worker(), machine.keepers()
    assert os.getsid(worker.pid) != os.getsid(0) != os.getsid(keeper.pid)
    asyncio.run(warm.close())
    assert not machine.is_empty(), "it stays a while, for whoever comes next"
    until(machine.is_empty, LINGER_S + 5)


@pytest.mark.parametrize(("name", "kind"), [("fail", ModelFailed), ("filter", Filtered)])
def test_it_fails_as_the_model_fails(
    machine: WorkerMachine, name: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind) as here:
        ask(load_here(f"scripted/{name}"))
    with pytest.raises(kind) as there:
        ask(opened(f"scripted/{name}"))
    assert type(there.value) is type(here.value)
    assert (str(there.value), vars(there.value)) == (str(here.value), vars(here.value))


def test_many_who_come_at_once_share_one(machine: WorkerMachine) -> None:
    programs = "; ".join(
        [
            "import sys",
            "from agent.models.local_server.warm_model import open_warm_model",
            f"print(open_warm_model({SLOW!r}, {{}}).fingerprint, 'torch' in sys.modules)",
        ]
    )

    def run(_: int) -> str:
        done = subprocess.run([sys.executable, "-c", programs], capture_output=True, text=True)
        return done.stdout + done.stderr

    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(run, range(4))
        worker = machine.worker()
        assert list(answers) == [f"{load_here(SLOW).fingerprint} False\n"] * 4
    assert [each.pid for each in machine.workers()] == [worker.pid]


def test_frames_and_keys_stay_with_their_user(machine: WorkerMachine) -> None:
    model = opened(SLOW)
    (key,) = machine.keys()
    (address,) = machine.runtime.rglob("address.json")
    assert stat.S_IMODE(address.stat().st_mode) == 0o600
    for folder in address.relative_to(machine.runtime).parents:
        assert stat.S_IMODE((machine.runtime / folder).stat().st_mode) == 0o700
    for words in ("cmdline", "name"):
        assert key not in str(getattr(machine.worker(), words)())
    url = f"{model._connection._address.url}/models"
    assert url.startswith("http://127.0.0.1:")
    for guess in ({}, {"Authorization": "Bearer x"}):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(urllib.request.Request(url, headers=guess))
    ask(model)
    kept = [path for path in machine.runtime.rglob("*") if path.is_file() and path != address]
    assert kept
    for path in kept:
        assert key.encode() not in path.read_bytes()


# Killed


@pytest.mark.parametrize("whose", ["workers", pytest.param("keepers", marks=pytest.mark.drill)])
def test_a_question_outlives_its_worker(machine: WorkerMachine, whose: str) -> None:
    """It is asked again of a new one, which both users then share; the old one is gone."""
    model = opened(SLOW)
    old = machine.worker()

    async def killed() -> list[Reply]:
        asked = [asyncio.create_task(model.ask(question(each))) for each in ("red", "blue")]
        await asyncio.sleep(0.2)
        (victim,) = getattr(machine, whose)()
        victim.kill()
        return await asyncio.gather(*asked)

    assert [reply.text for reply in asyncio.run(killed())] == ["Yes", "Yes"]
    assert machine.worker().pid != old.pid
    assert not old.is_running()


@pytest.mark.drill
def test_a_question_that_kills_two_workers_is_a_failure(machine: WorkerMachine) -> None:
    model = opened("scripted/timeout")

    async def killed() -> None:
        asked = asyncio.create_task(model.ask(question()))
        for _ in range(2):
            await asyncio.sleep(0.3)
            worker = await asyncio.to_thread(machine.worker)
            worker.kill()
            await asyncio.to_thread(until, partial(_is_replaced, machine, worker, asked))
        await asked

    with pytest.raises(ModelFailed, match="ended twice"):
        asyncio.run(killed())
    assert ask(opened("scripted/yes")).text == "Yes"


def _is_replaced(machine: WorkerMachine, old: psutil.Process, asked: asyncio.Task[Reply]) -> bool:
    """Whether another worker answers, or nobody asks for one any more."""
    others = [each for each in machine.workers() if each.pid != old.pid]
    return asked.done() or bool(others and machine.keys())


@pytest.mark.drill
def test_a_killed_user_leaves_no_worker(machine: WorkerMachine) -> None:
    """Neither while it starts, nor while it answers."""
    program = (
        "from tests.agent.models.test_warm_model import ask, opened\n"
        "ask(opened('scripted/timeout'))"
    )
    for loaded in (False, True):
        user = subprocess.Popen([sys.executable, "-c", program])
        machine.worker()
        if loaded:
            until(lambda: bool(machine.keys()))
        user.send_signal(signal.SIGKILL)
        user.wait()
        until(machine.is_empty, LINGER_S + 10)


def test_who_gives_up_holds_nobody_up(machine: WorkerMachine) -> None:
    model = opened("scripted/timeout")
    before = machine.worker().num_threads()

    async def impatient() -> None:
        async with asyncio.timeout(0.3):
            await model.ask(question())

    for _ in range(2):
        with pytest.raises(TimeoutError):
            asyncio.run(impatient())
    until(lambda: machine.worker().num_threads() <= before, 5)  # no thread waits for an answer


def test_who_interrupts_the_loading_waits_for_nothing_and_leaves_nothing(
    machine: WorkerMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights of a large model are read for minutes."""
    (tmp_path / "sitecustomize.py").write_text(
        "import pathlib, time\n"
        "if b'local_server.worker' in pathlib.Path('/proc/self/cmdline').read_bytes():\n"
        "    time.sleep(25)\n",
        encoding="utf-8",
    )
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)

    async def impatient() -> None:
        async with AsyncExitStack() as stack, asyncio.timeout(None) as limit:
            asking = asyncio.create_task(open_models(stack, [ModelRequest("embedded/conse")]))
            await asyncio.to_thread(machine.worker)
            limit.reschedule(asyncio.get_running_loop().time())
            await asking

    start = monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(impatient())
    assert monotonic() - start < 15
    until(machine.is_empty, 10)


def test_what_a_dead_machine_left_is_no_server(machine: WorkerMachine) -> None:
    """The address of a worker that is gone, at which somebody else may listen by now."""
    model = opened(SLOW)
    keeper, worker = machine.keepers()[0], machine.worker()
    asyncio.run(model.close())
    keeper.kill()
    worker.kill()
    until(machine.is_empty)
    assert machine.keys(), "its address lies there still"
    assert ask(opened(SLOW)).text == "Yes"


# Which worker


def test_another_code_package_or_setting_is_another_worker(
    machine: WorkerMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = model_recipe(SLOW, {})
    assert model_recipe(SLOW, {}).identity == plain.identity
    assert model_recipe(SLOW, {"device": "cpu"}).identity != plain.identity
    for name, text in {"CUDA_VISIBLE_DEVICES": "1", "OMP_NUM_THREADS": "3"}.items():
        with monkeypatch.context() as patch:
            patch.setenv(name, text)
            assert model_recipe(SLOW, {}).identity != plain.identity
    with monkeypatch.context() as patch:
        patch.setenv("FEEDSWAY_WARM_S", "7")
        patch.setenv("HF_TOKEN", "secret")
        assert model_recipe(SLOW, {}).identity == plain.identity
        assert "secret" not in str(model_recipe(SLOW, {}))
    with monkeypatch.context() as patch:
        patch.setattr(worker_recipe, "cores", lambda: (0, 9))
        assert model_recipe(SLOW, {}).identity != plain.identity
    with monkeypatch.context() as patch:
        patch.setattr(worker_recipe, "code_fingerprint", lambda: "another")
        assert model_recipe(SLOW, {}).identity != plain.identity
        with pytest.raises(ModelFailed, match=r"changed while this started\. Type"):
            opened(SLOW)


def test_the_fingerprint_of_the_code_is_of_its_files_and_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = worker_recipe.code_fingerprint()
    assert worker_recipe.code_fingerprint() == before
    (tmp_path / "torch-9.9.dist-info").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
        assert worker_recipe.code_fingerprint() != before
    monkeypatch.setattr(worker_recipe, "_SOURCES", ("agent/errors.py",))
    assert worker_recipe.code_fingerprint() != before


def test_a_checkpoint_that_is_trained_on_is_another_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "model").mkdir()
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(b"before")
    name = f"hfvlm/{tmp_path / 'model'}"
    before = model_recipe(name, {}).identity
    weights.write_bytes(b"after!")
    assert model_recipe(name, {}).identity != before
    monkeypatch.chdir(tmp_path)
    here = model_recipe("hfvlm/./model", {}).identity
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert model_recipe("hfvlm/./model", {}).identity != here


def test_the_checkpoint_of_an_encoder_is_found_in_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "a=b" / "w.pt"
    weights.parent.mkdir()
    weights.write_bytes(b"1")
    for name in (f"M/{weights}", f"M/tag={weights}", f"M/tag={weights}@{'a' * 12}+{'0' * 8}"):
        assert find_checkpoint(f"open_clip:{name}") == weights
    assert find_checkpoint("open_clip:ViT-B-32/openai") is None
    assert find_checkpoint("conse") is None
    before = encoder_recipe(f"open_clip:M/{weights}").identity
    weights.write_bytes(b"22")
    assert encoder_recipe(f"open_clip:M/{weights}").identity != before


def test_an_encoder_that_cannot_be_had_is_told_as_ever(machine: WorkerMachine) -> None:
    with pytest.raises(UnknownEncoder) as error:
        WorkerConnection.open(encoder_recipe("conse-99"))
    assert str(error.value) == str(UnknownEncoder("conse-99"))
    until(machine.is_empty)


def test_what_nobody_uses_makes_room_for_another(
    machine: WorkerMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDSWAY_WARM_S", "600")
    first, used = opened("scripted/yes"), opened("scripted/no")
    asyncio.run(first.close())
    last = opened(SLOW)
    told = [" ".join(each.cmdline()) for each in machine.workers()]
    assert len(told) == 2
    assert not any('"scripted/yes"' in words for words in told)
    assert ask(used).text == "No"
    for model in (used, last):
        asyncio.run(model.close())


# Without workers


def test_workers_can_be_done_without(
    machine: WorkerMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDSWAY_WARM_S", "0")
    assert open_warm_model(SLOW, {}) is None
    assert machine.is_empty()
    for text in ("soon", "-1", "nan", "1e9"):
        monkeypatch.setenv("FEEDSWAY_WARM_S", text)
        with pytest.raises(BadConfig, match=r"Type: export FEEDSWAY_WARM_S=120$"):
            open_warm_model(SLOW, {})


@pytest.mark.parametrize("problem", ["open to others", "full disk"])
def test_where_no_worker_can_be_kept_the_model_is_loaded_in_the_process(
    problem: str,
    machine: WorkerMachine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    if problem == "full disk":
        monkeypatch.setattr(lease, "asdict", full)  # as the first file is written
    else:
        (machine.runtime / "feedsway").mkdir()
        (machine.runtime / "feedsway").chmod(0o777)
    assert open_warm_model(SLOW, {}) is None
    assert "is loaded in this process, without a worker" in capsys.readouterr().err
    assert machine.is_empty()


def test_a_daemon_that_ends_a_job_leaves_its_worker_to_others(
    machine: WorkerMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert DAEMON_MARK in lease.OF_ONE_USER
    monkeypatch.setenv(DAEMON_MARK, "/data|job")
    opened(SLOW)
    for process in [*machine.keepers(), machine.worker()]:
        assert DAEMON_MARK not in process.environ()


def test_only_what_is_heavy_has_a_worker(machine: WorkerMachine) -> None:
    assert not isinstance(load("scripted/yes"), WarmModel)
    assert machine.is_empty()


@pytest.mark.drill
def test_the_embedded_viewer_and_its_encoder_are_one_worker_that_answers_alike(
    machine: WorkerMachine,
) -> None:
    here, warm = load_here("embedded/conse"), load("embedded/conse")
    assert isinstance(warm, WarmModel)
    assert (warm.fingerprint, warm.settings) == (here.fingerprint, here.settings)
    for colour in ("red", "green"):
        assert asyncio.run(warm.ask(question(colour))) == asyncio.run(here.ask(question(colour)))
    plain = Question(strategies.build("plain", None), (frame(),))
    with pytest.raises(BadConfig, match="no taste of its own"):
        asyncio.run(warm.ask(plain))
    encoder = open_encoder("conse", "embedded/conse")
    assert isinstance(encoder, WarmEncoder)
    assert len(machine.workers()) == 1
    from store.encoders import load as load_encoder

    local = load_encoder("conse")
    assert (encoder.id, encoder.dim) == (local.id, local.dim)
    pictures = [Image.effect_noise((60, 90), 90), Image.new("RGB", (90, 60), "red")]
    assert (encoder.images(pictures) == local.images(pictures)).all()
    assert (encoder.texts(["a dog", "tax"]) == local.texts(["a dog", "tax"])).all()


@pytest.mark.drill
def test_who_else_asks_a_local_model_moves_no_digit_of_an_answer(
    machine: WorkerMachine, tmp_path: Path
) -> None:
    name = f"hfvlm/{tiny.save_llava(tmp_path)}"
    colours = ["red", "green", "blue", "white", "black", "purple"]

    async def ask_in_turn(model: Any) -> list[Reply]:
        return [await model.ask(question(colour)) for colour in colours]

    async def ask_together(models: list[Any]) -> list[list[Reply]]:
        return await asyncio.gather(*map(ask_in_turn, models))

    here = load_here(name)
    alone = asyncio.run(ask_in_turn(here))
    warm = [opened(name) for _ in range(4)]
    assert len(machine.workers()) == 1
    assert (warm[0].fingerprint, warm[0].settings) == (here.fingerprint, here.settings)
    assert len({reply.p_yes for reply in alone}) > 1
    assert asyncio.run(ask_together(warm)) == [alone] * 4
