"""Questions about one picture share it, and are answered as each one alone is."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from agent.models import local_vlm
from agent.models.base import Question, Reply
from agent.models.local_vlm import HfVlm
from agent.models.shared_picture import SharedPicture
from agent.models.token_tree import make_tree
from personas.library import all_personas
from personas.strategies import Order, build
from store.encoders._torch import load_torch
from tests.agent.models import tiny
from tests.agent.models.tiny_architectures import SHARED

PEOPLE = all_personas()[:4]
EXACT = 1e-5


def picture(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (8, 5, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((120, 200)).save(file, "JPEG")
    return file.getvalue()


def questions(*seeds: int, order: Order = "picture-first") -> list[Question]:
    """Each persona's question and its opposite, about the same frames."""
    frames = tuple(picture(seed) for seed in seeds)
    return [
        Question(build("simple", who, mirrored=mirrored, order=order), frames)
        for who in PEOPLE
        for mirrored in (False, True)
    ]


def together(model: HfVlm, asked: Sequence[Question]) -> list[Reply]:
    async def gathered() -> list[Reply]:
        return list(await asyncio.gather(*(model.ask(each) for each in asked)))

    return asyncio.run(gathered())


def p_yes(replies: Sequence[Reply]) -> list[float]:
    found = [reply.p_yes for reply in replies if reply.p_yes is not None]
    assert len(found) == len(replies)
    return found


def alone(model: HfVlm, asked: Sequence[Question]) -> list[Reply]:
    model.shares_pictures = False
    return [together(model, [each])[0] for each in asked]


def load_twice(folder: Path) -> tuple[HfVlm, HfVlm]:
    one, other = (HfVlm.load(f"hfvlm/{folder}", device="cpu") for _ in range(2))
    return one, other


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_llava(tmp_path_factory.mktemp("llava"))


def count_pictures(model: HfVlm, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pictures that the encoder was given, call by call."""
    tower, seen = model._checkpoint.model.model.vision_tower, list[int]()
    tower.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    return seen


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_picture_says_what_each_question_alone_says(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_vlm, "LEAST_MASS", 0)
    sharing, other = load_twice(SHARED[name](tmp_path))
    seen: list[float] = []
    for seeds in ((1,), (2, 3)):
        asked = questions(*seeds)
        each = p_yes(alone(other, asked))
        assert p_yes(together(sharing, asked)) == pytest.approx(each, abs=EXACT)
        seen += each
    assert sharing.shares_pictures
    assert sharing._picture.as_tree is (name not in ("gemma3", "lfm2_vl")), "windows, states"
    assert len({round(number, 4) for number in seen}) > len(seen) / 2, "it looks and reads"


def test_attention_of_another_kind_shares_too(llava: Path) -> None:
    sharing, other = (
        HfVlm.load(f"hfvlm/{llava}", device="cpu", attention="eager") for _ in range(2)
    )
    each = p_yes(alone(other, questions(1)))
    assert p_yes(together(sharing, questions(1))) == pytest.approx(each, abs=EXACT)
    assert sharing._picture.as_tree


def test_a_picture_is_encoded_once_for_all_that_is_asked_about_it(
    llava: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = HfVlm.load(f"hfvlm/{llava}", device="cpu")
    seen = count_pictures(model, monkeypatch)
    together(model, questions(1))
    assert seen == [1] * 3, "two of the first questions are asked alone as well, to compare"
    together(model, questions(2))
    assert len(seen) == 4
    together(model, questions(2))  # those that come a moment later
    assert len(seen) == 4


def test_a_persona_first_shares_with_its_opposite_alone(
    llava: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sharing, other = load_twice(llava)
    asked = questions(1, order="persona-first")
    assert p_yes(together(sharing, asked)) == pytest.approx(p_yes(alone(other, asked)), abs=EXACT)
    seen = count_pictures(sharing, monkeypatch)
    together(sharing, questions(2, order="persona-first"))
    assert len(seen) == len(PEOPLE)


def test_a_model_whose_answers_would_change_sees_each_picture_anew_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Positions that are stretched by the length of the whole chat fit no shared beginning."""
    stretched = {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 100.0}
    folder = tiny.save_llava(tmp_path, rope_parameters=stretched, max_position_embeddings=128)
    sharing, other = load_twice(folder)
    asked, near = questions(1), 1e-3  # of such a model, also for two batches of other sizes
    assert p_yes(together(sharing, asked)) == pytest.approx(p_yes(alone(other, asked)), abs=near)
    assert sharing.shares_pictures is False
    assert "a picture anew for each question: it would answer otherwise" in capsys.readouterr().err
    together(sharing, questions(2))
    assert capsys.readouterr().err == ""


def test_a_model_that_counts_otherwise_from_some_length_on_is_noticed_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first picture says nothing of positions that are stretched from 712 tokens on."""
    stretched = {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 100.0}
    folder = tiny.save_llava(tmp_path, rope_parameters=stretched, max_position_embeddings=712)
    sharing, other = load_twice(folder)
    for seeds, shares, near in (((1,), True, EXACT), (range(2, 10), False, 1e-3)):
        asked = questions(*seeds)
        assert p_yes(together(sharing, asked)) == pytest.approx(
            p_yes(alone(other, asked)), abs=near
        )
        assert sharing.shares_pictures is shares
    assert "it would answer otherwise" in capsys.readouterr().err


def test_one_picture_that_cannot_be_shared_loses_no_answer(
    llava: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sharing, other = load_twice(llava)
    together(sharing, questions(1))

    def torn(*_: Any) -> Any:
        raise RuntimeError("The size of tensor a (3) must match the size of tensor b (4)")

    with monkeypatch.context() as patch:
        patch.setattr(SharedPicture, "_run_prefix", torn)
        said = p_yes(together(sharing, questions(2)))
    assert said == pytest.approx(p_yes(alone(other, questions(2))), abs=EXACT)
    assert sharing.shares_pictures


@pytest.mark.parametrize("save", [tiny.save_blip2, "words before the picture"])
def test_what_cannot_go_on_from_a_picture_sees_it_anew_and_says_so(
    tmp_path: Path, save: Callable[[Path], Path] | str, capsys: pytest.CaptureFixture[str]
) -> None:
    turned = tiny.TEMPLATE.replace("in message['content']", "in message['content'] | reverse")
    folder = tiny.save_llava(tmp_path, template=turned) if isinstance(save, str) else save(tmp_path)
    model = HfVlm.load(f"hfvlm/{folder}", device="cpu")
    assert len(together(model, questions(1))) == 8
    assert model.shares_pictures is False
    assert "a picture anew for each question: it cannot go on from it" in capsys.readouterr().err


def test_endings_that_do_not_fit_are_halved(llava: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = load_torch()
    run, sizes = SharedPicture._run_tree, list[int]()

    def cramped(self: SharedPicture, prefix: Any, endings: list[list[int]]) -> list[Any]:
        sizes.append(len(endings))
        if len(endings) > 3:
            raise torch.OutOfMemoryError("no room")
        return run(self, prefix, endings)

    sharing, other = load_twice(llava)
    each = p_yes(alone(other, questions(1)))
    monkeypatch.setattr(SharedPicture, "_run_tree", cramped)
    assert p_yes(together(sharing, questions(1))) == pytest.approx(each, abs=EXACT)
    assert sizes == [8, 4, 2, 2, 2, 2]


def test_a_pass_over_a_tree_holds_no_more_than_a_batch_of_whole_chats(
    llava: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, sizes = SharedPicture._run_tree, list[int]()

    def counted(self: SharedPicture, prefix: Any, endings: list[list[int]]) -> list[Any]:
        sizes.append(sum(map(len, endings)))
        return run(self, prefix, endings)

    monkeypatch.setattr(SharedPicture, "_run_tree", counted)
    model = HfVlm.load(f"hfvlm/{llava}", device="cpu", batch_size=1)
    longest = max(reply.input_tokens or 0 for reply in together(model, questions(1)))
    assert len(sizes) > 1
    assert max(sizes) <= longest


def test_no_more_rows_are_run_at_once_than_the_batch_size(
    llava: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, rows = SharedPicture._step, list[int]()

    def counted(self: SharedPicture, cache: Any, prefix: Any, ids: list[list[int]]) -> Any:
        rows.append(len(ids))
        return step(self, cache, prefix, ids)

    monkeypatch.setattr(SharedPicture, "_step", counted)
    model = HfVlm.load(f"hfvlm/{llava}", device="cpu", batch_size=3)
    model._picture.as_tree = False
    assert len(together(model, questions(1))) == 8
    assert max(rows) == 3


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=12))
def test_a_tree_holds_each_beginning_once_and_each_token_sees_its_own_list(
    lists: list[list[int]],
) -> None:
    tree = make_tree(lists)
    beginnings = {tuple(each[: n + 1]) for each in lists for n in range(len(each))}
    assert len(tree.tokens) == len(beginnings)
    for tokens, end in zip(lists, tree.ends, strict=True):
        seen = np.flatnonzero(tree.sees[end])
        assert [tree.tokens[place] for place in seen] == tokens
        assert [tree.depths[place] for place in seen] == list(range(len(tokens)))
