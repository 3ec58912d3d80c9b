"""Local models through transformers, on tiny ones that were built here and load as real ones do."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.errors import BadConfig, MissingExtra, ModelFailed, UserError
from agent.evaluation import pair_prompts as preferences
from agent.judge.judge import ModelJudge
from agent.models import check, load, local_checkpoint, local_vlm
from agent.models.base import Question, Reply
from agent.models.local_vlm import GeneratedReply, HfVlm
from personas.strategies import build
from store.encoders._torch import load_torch
from tests.agent.models import tiny
from tests.agent.models.made_models import GUITARIST, frame

RED, BLUE = frame(colour="red"), frame(colour="blue")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_llava(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="module")
def model(folder: Path) -> HfVlm:
    loaded = load(f"hfvlm/{folder}", device="cpu")
    assert isinstance(loaded, HfVlm)
    return loaded


def question(*frames: bytes, strategy: str = "simple", **manner: Any) -> Question:
    prompt = build(strategy, GUITARIST, **manner)
    return Question(prompt, frames or (RED,), explain=manner.get("explain", False))


def ask(model: HfVlm, *questions: Question) -> list[Reply]:
    async def together() -> list[Reply]:
        return list(await asyncio.gather(*(model.ask(each) for each in questions)))

    return asyncio.run(together())


def worked_out(model: HfVlm, asked: Question) -> float:
    """Share of yes, from the logits of one forward pass without padding, caches or ``generate``."""
    torch = load_torch()
    parts = model._checkpoint
    inputs = local_vlm._inputs(parts.processor, [local_vlm._chat(asked)])
    with torch.inference_mode():
        logits = parts.model(**inputs).logits[0, -1]
    vocabulary = parts.processor.tokenizer.get_vocab()
    held = {
        word: sum(
            float(logits[place].exp())
            for token, place in vocabulary.items()
            if token.removeprefix("Ġ").lower() == word
        )
        for word in ("yes", "no")
    }
    return held["yes"] / (held["yes"] + held["no"])


# p_yes, from the logits


def test_p_yes_is_read_from_the_logits_in_one_pass(model: HfVlm) -> None:
    asked = question(RED, BLUE)
    reply = ask(model, asked)[0]

    assert reply.p_yes == pytest.approx(worked_out(model, asked), abs=1e-4)
    assert reply.p_yes is not None
    assert 0.001 < reply.p_yes < 0.5
    assert reply.text == "No"
    assert reply.output_tokens == 1
    assert reply.input_tokens is not None
    assert float(reply.notes["mass"]) > local_vlm.LEAST_MASS


def test_the_picture_counts_and_so_does_every_frame(model: HfVlm) -> None:
    asked = [question(*frames) for frames in ((RED,), (BLUE,), (RED, BLUE), (BLUE, RED))]
    seen = {round(worked_out(model, each), 6) for each in asked}
    assert len(seen) == len(asked)


def test_a_yes_to_the_opposite_question_is_a_dislike(model: HfVlm) -> None:
    mirrored = question(mirrored=True)
    reply = ask(model, mirrored)[0]
    assert reply.p_yes == pytest.approx(1 - worked_out(model, mirrored), abs=1e-4)
    assert reply.p_yes is not None
    assert (reply.text == "No") == (reply.p_yes > 0.5)


def test_a_model_that_says_yes_is_read_as_yes(tmp_path: Path) -> None:
    willing = HfVlm.load(f"hfvlm/{tiny.save_llava(tmp_path, says='yes')}", device="cpu")
    judge = ModelJudge.of(willing, "simple", GUITARIST)
    said = asyncio.run(judge.judge((RED,), None))
    assert (said.answer, said.missing) == ("yes", None)
    assert said.p_yes is not None
    assert said.p_yes > 0.5
    assert said.usage.output_tokens == 1


def test_what_is_neither_yes_nor_no_is_spoken_and_read_as_words(tmp_path: Path) -> None:
    babbler = HfVlm.load(f"hfvlm/{tiny.save_llava(tmp_path, says=None)}", device="cpu")
    judge = ModelJudge.of(babbler, "simple", GUITARIST)
    said = asyncio.run(judge.judge((RED,), None))
    assert (said.answer, said.missing, said.p_yes) == (None, "unreadable", None)
    assert said.reply
    assert said.usage.calls == 2
    assert said.usage.output_tokens is not None
    assert said.usage.output_tokens > 2


@pytest.mark.parametrize(
    "manner", [{"strategy": "isq"}, {"explain": True}, {"strategy": "isq", "explain": True}]
)
def test_questionnaires_and_reasons_are_generated(
    model: HfVlm, manner: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_vlm, "_LONG", 12)
    reply = ask(model, question(**manner))[0]
    assert reply.output_tokens == 12
    assert len(reply.text) > 3
    assert (reply.p_yes is None) == (manner.get("strategy") == "isq")


def test_free_words_and_picks_are_generated(model: HfVlm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_vlm, "_LONG", 12)
    monkeypatch.setattr(local_vlm, "_WORDS", 5)
    prompts = preferences.describe(), preferences.choice("A kite.", "A boat.", turned=False)
    text, pick = ask(model, *(Question(prompt, (RED,)) for prompt in prompts))
    assert (text.output_tokens, pick.output_tokens) == (12, 5)
    assert text.p_yes is pick.p_yes is None


# Together


def test_questions_that_come_together_are_answered_together_and_alike(
    model: HfVlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    generate = HfVlm.generate

    def counted(self: HfVlm, chats: Sequence[local_vlm.Chat], most: int) -> list[GeneratedReply]:
        sizes.append(len(chats))
        return generate(self, chats, most)

    monkeypatch.setattr(HfVlm, "generate", counted)
    asked = [question(frame(colour=f"#{n:02x}{255 - n:02x}80")) for n in range(0, 250, 20)]
    asked[3] = question(RED, BLUE, mirrored=True)  # longer than the others
    together = ask(model, *asked)

    assert sum(sizes) == len(asked)
    assert max(sizes) > 1
    assert max(sizes) <= local_vlm.TOGETHER
    for each, reply in zip(asked, together, strict=True):
        p_yes = worked_out(model, each)
        assert reply.p_yes == pytest.approx(1 - p_yes if each.prompt.mirrored else p_yes, abs=1e-4)


def test_a_batch_that_does_not_fit_is_halved(model: HfVlm, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = load_torch()
    generate = HfVlm._generate

    def cramped(self: HfVlm, chats: Sequence[local_vlm.Chat], most: int) -> list[GeneratedReply]:
        if len(chats) > 1:
            raise torch.OutOfMemoryError("no room")
        return generate(self, chats, most)

    monkeypatch.setattr(HfVlm, "_generate", cramped)
    asked = [question(RED), question(BLUE), question(RED, BLUE)]
    assert [reply.p_yes for reply in ask(model, *asked)] == [
        pytest.approx(worked_out(model, each), abs=1e-4) for each in asked
    ]


def test_a_question_that_does_not_fit_says_what_to_type(
    model: HfVlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = load_torch()

    def full(self: HfVlm, chats: Sequence[local_vlm.Chat], most: int) -> list[GeneratedReply]:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(HfVlm, "_generate", full)
    with pytest.raises(BadConfig, match=r"memory.*Type: --model hfvlm/"):
        ask(model, question())


# Failures


def test_a_frame_that_is_no_picture_fails_alone(model: HfVlm) -> None:
    async def both() -> list[Reply | BaseException]:
        asked = (question(b"no picture"), question(RED))
        return await asyncio.gather(*(model.ask(q) for q in asked), return_exceptions=True)

    bad, good = asyncio.run(both())
    assert isinstance(bad, ModelFailed)
    assert isinstance(good, Reply)


def test_a_failed_pass_is_a_failure_and_the_next_question_is_answered(
    model: HfVlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: HfVlm, chats: Sequence[local_vlm.Chat], most: int) -> list[GeneratedReply]:
        raise RuntimeError("CUDA error")

    with monkeypatch.context() as patched:
        patched.setattr(HfVlm, "_generate", broken)
        judge = ModelJudge.of(model, "simple", GUITARIST)
        said = asyncio.run(judge.judge((RED,), None))
        assert (said.answer, said.missing) == (None, "failed")
    assert ask(model, question())[0].text == "No"


def test_a_fault_in_the_program_is_no_failure_of_the_model(
    model: HfVlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: HfVlm, chats: Sequence[local_vlm.Chat], most: int) -> list[GeneratedReply]:
        raise ZeroDivisionError

    monkeypatch.setattr(HfVlm, "_generate", broken)
    with pytest.raises(ZeroDivisionError):
        ask(model, question())


def test_who_gives_up_holds_nobody_up(model: HfVlm) -> None:
    async def impatient() -> Reply:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await model.ask(question(strategy="isq"))
        reply = await model.ask(question(BLUE))
        await model.close()
        return reply

    assert asyncio.run(impatient()).text == "No"


# The persona in the chat form


@pytest.mark.parametrize("template", [tiny.TEMPLATE, tiny.NO_SYSTEM, tiny.DROPS_SYSTEM])
def test_the_persona_is_kept_whatever_the_template_does(tmp_path: Path, template: str) -> None:
    made = HfVlm.load(f"hfvlm/{tiny.save_llava(tmp_path, template=template)}", device="cpu")
    processor = made._checkpoint.processor
    ids = local_vlm._inputs(processor, [local_vlm._chat(question(RED, BLUE))])["input_ids"][0]
    shown = processor.tokenizer.decode(ids)
    assert all(trait in shown for trait in GUITARIST.traits)
    assert shown.count("<image>") == 2 * 4
    assert shown.count("user:") == 1
    assert ("system:" in shown) == (template == tiny.TEMPLATE)
    assert ask(made, question())[0].p_yes is not None


def test_a_model_that_knows_no_chats_gets_one_picture_and_a_text(tmp_path: Path) -> None:
    made = HfVlm.load(f"hfvlm/{tiny.save_blip2(tmp_path)}", device="cpu")
    ids = local_vlm._inputs(made._checkpoint.processor, [local_vlm._chat(question(RED, BLUE))])[
        "input_ids"
    ]
    shown = made._checkpoint.processor.tokenizer.decode(ids[0])
    assert shown.count("<image>") == 4
    assert all(trait in shown for trait in GUITARIST.traits)
    assert shown.rstrip().endswith("Answer:")
    assert all(reply.output_tokens for reply in ask(made, question(RED, BLUE), question(BLUE)))


# Loading


def test_what_was_loaded_is_told(model: HfVlm) -> None:
    assert model.about == ("llava, 0.1 M parameters, float32 on cpu")


def save_config(folder: Path, **config: Any) -> str:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return f"hfvlm/{folder}"


@pytest.mark.parametrize(
    "name", ["hfvlm/./no-such", "hfvlm//no/such", "hfvlm/", "hfvlm/a b", "hfvlm/x"]
)
def test_a_missing_folder_is_noticed_before_anything_is_loaded(name: str) -> None:
    with pytest.raises(BadConfig, match=r"no model folder.*Type: --model hfvlm/"):
        check(name)


def test_a_folder_without_a_checkpoint_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"config\.json is missing.*Type: "):
        check(f"hfvlm/{tmp_path}")


def test_a_model_that_is_not_on_this_machine_says_how_to_get_it() -> None:
    check("hfvlm/Qwen/no-such-model")
    with pytest.raises(BadConfig, match=r"Type: hf download Qwen/no-such-model$"):
        load("hfvlm/Qwen/no-such-model")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "bert"}, r"bert\) does not answer in words about pictures"),
        ({"model_type": "vit"}, r"vit\) does not answer in words about pictures"),
        ({"model_type": "cog", "auto_map": {"AutoConfig": "c.Cog"}}, "needs code that comes with"),
        ({"model_type": "from-the-future"}, "cannot be loaded by this transformers"),
        ({}, "cannot be loaded by this transformers"),
    ],
)
def test_what_cannot_be_asked_says_what_to_type(
    tmp_path: Path, config: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words + r".*Type: "):
        load(save_config(tmp_path, **config))


def test_damaged_weights_say_what_to_type(tmp_path: Path) -> None:
    tiny.save_llava(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(BadConfig, match=r"cannot be loaded.*Type: "):
        load(f"hfvlm/{tmp_path}")


def test_a_quantised_model_says_what_it_needs(tmp_path: Path) -> None:
    if importlib.util.find_spec("accelerate") is not None:
        pytest.skip("what it needs is installed")
    tiny.save_llava(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    save_config(tmp_path, **config, quantization_config={"quant_method": "awq", "bits": 4})
    with pytest.raises(MissingExtra, match=r"Type: pip install accelerate$"):
        load(f"hfvlm/{tmp_path}", device="cpu")


def test_a_model_too_big_is_refused_before_its_weights_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_checkpoint, "free_memory", lambda device: 100_000)
    with pytest.raises(BadConfig, match=r"GB on cpu, where 0\.0 GB are free.*Type: "):
        load(f"hfvlm/{folder}", device="cpu")


def test_free_memory_is_what_a_container_was_granted(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("3000\n", encoding="ascii")
    (tmp_path / "memory.current").write_text("1000\n", encoding="ascii")
    assert list(local_checkpoint._granted(tmp_path)) == [2000]
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert list(local_checkpoint._granted(tmp_path)) == []
    assert local_checkpoint.free_memory("cpu") > 10**8
