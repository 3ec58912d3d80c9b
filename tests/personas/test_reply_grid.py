"""Yes and no are read by the same rules: a grid of replies, each in both forms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

from personas.answer_words import languages
from personas.questionnaire import read_isq
from personas.reply_parser import Reading, read_choice
from tests.personas.reply_grid import (
    DRESSES,
    MadeReply,
    answers,
    imagined,
    no_answers,
    outsiders,
    questionnaires,
    rows,
)

EQUAL = 0.02
"""Shares of lost yeses and of lost noes may differ by that much."""


def reading(reply: MadeReply) -> Reading:
    if reply.kind == "isq":
        return read_isq(reply.text)
    return read_choice(reply.text, mirrored=reply.kind == "mirrored")


def word(reply: MadeReply) -> str:
    """Return what was read, as the answer to the question that was put."""
    answer = reading(reply).answer
    if answer is not None and reply.kind == "mirrored":
        return "no" if answer == "yes" else "yes"
    return answer or "none"


def counts(replies: Iterable[MadeReply]) -> Counter[tuple[str, str]]:
    return Counter((reply.means, word(reply)) for reply in replies)


@pytest.mark.parametrize("source", [answers, questionnaires, imagined])
def test_no_reply_is_read_as_its_contrary_and_both_are_lost_alike(source: object) -> None:
    assert callable(source)
    read = counts(source())
    assert read["yes", "no"] == read["no", "yes"] == read["none", "yes"] == read["none", "no"] == 0
    lost = {
        means: read[means, "none"] / (read[means, "none"] + read[means, means])
        for means in ("yes", "no")
    }
    assert abs(lost["yes"] - lost["no"]) <= EQUAL
    assert max(lost.values()) <= 2 * EQUAL, "the common forms are read"


def test_the_grid_is_large_and_holds_both_forms_of_each_reply() -> None:
    grid = list(answers())
    assert len(grid) >= 2_000
    assert Counter(reply.means for reply in grid)["yes"] == len(grid) / 2
    assert len({reply.language for reply in grid}) >= 13
    assert {reply.dress for reply in grid} == set(DRESSES)
    assert len(list(imagined())) >= 300


def test_what_gives_no_answer_is_none_in_either_form() -> None:
    replies = list(no_answers())
    assert len(replies) >= 1_000
    assert [(reply.text, word(reply)) for reply in replies if word(reply) != "none"] == []


def test_who_denies_being_able_to_answer_or_to_see_has_refused() -> None:
    refused = [reply for reply in no_answers() if reply.language == "refused"]
    assert len(refused) >= 300
    assert [reply.text for reply in refused if reading(reply).missing != "refused"] == []


def test_who_declines_to_watch_has_not_refused() -> None:
    """A no is not eaten by what tells refusals: "No, I won't watch the video" is a no."""
    noes = [no for _, _, no in rows("pairs.tsv")]
    assert len(noes) > 200
    assert [no for no in noes if read_choice(no).missing == "refused"] == []


def test_every_language_has_its_words_in_the_grid() -> None:
    known = {language.code for language in languages()}
    assert known == {language for language, *_ in rows("pairs.tsv")}


SARCASTIC = "Oh great, yes, exactly what I needed, a fourth dropshipping guru. Bye."
"""Its words say yes; that they are meant as no can't be told by any rule for words."""


def test_an_outsider_s_replies_are_never_read_as_their_contrary_and_lost_alike() -> None:
    replies = list(outsiders())
    wrong = [reply.text for reply in replies if word(reply) not in (reply.means, "none")]
    assert wrong == [SARCASTIC]
    read = counts(replies)
    lost = {
        means: read[means, "none"] / sum(reply.means == means for reply in replies)
        for means in ("yes", "no")
    }
    assert abs(lost["yes"] - lost["no"]) <= EQUAL
    assert max(lost.values()) <= 0.23, "no more are lost than when the rules were made"


@pytest.mark.parametrize(
    ("reply", "stays"),
    [
        ("Skip? No. I want to see it.", True),
        ("Skip? Yes. I don't want to see it.", False),
        ("Skip: no", True),
        ("Keep watching: no", False),
        ("**Would keep watching:** ✅", True),
        ("Would I stay? No, I'd skip.", False),
        ("Überspringen? Nein. Ich will es sehen.", True),
        ("¿Saltarlo? No, quiero verlo.", True),
        ("Passer ? Non.", True),
        ("스킵? 아니요.", True),
        ('{"keep_watching": false}', False),
        ('{"skip": false}', True),
    ],
)
def test_a_question_of_its_own_about_leaving_turns_the_word_round(reply: str, stays: bool) -> None:
    """Whatever was asked: its own question says what its answer is about."""
    for mirrored in (False, True):
        assert read_choice(reply, mirrored=mirrored).answer == ("yes" if stays else "no")


@pytest.mark.parametrize(
    "reply",
    [
        "Skip or watch? Yes.",
        "I like it. Skip? No.",
        "Would anybody skip this? Yes.",
        "Warum sollte ich das überspringen und nicht dranbleiben? Ja, ich würde weiterwischen.",
        "Would I normally skip this? Yes.",
        "Skip: no\nKeep watching: no",
        '{"would_watch": true, "skip": true}',
    ],
)
def test_a_question_of_its_own_that_is_not_plain_makes_it_unreadable(reply: str) -> None:
    assert read_choice(reply).answer is None


@pytest.mark.parametrize(
    "reply",
    [
        "Yes, I can help! Please upload the screenshot.",
        "No, there is no image attached.",
        "Nein, mir liegt kein Bild vor.",
        "Ja, schick mir das Bild.",
        "No veo ninguna imagen adjunta.",
        "Sí, envíame la imagen por favor.",
        "Non, je ne vois pas d'image.",
        "Oui, envoyez-moi l'image s'il vous plaît.",
        "No, non vedo nessuna immagine.",
        "Sì, inviami l'immagine.",
        "Não, não recebi nenhuma imagem.",
        "Nee, er is geen afbeelding bijgevoegd.",
        "Нет, я не вижу изображения.",
        "Да, пришлите скриншот.",
        "Hayır, görsel göremiyorum.",
        "Nie, nie widzę obrazu.",
        "不，我没有看到图片。",
        "是的，请上传图片。",
        "いいえ、画像が添付されていません。",
        "はい、画像を送ってください。",
        "아니요, 이미지가 없습니다.",
        "네, 이미지를 올려 주세요.",
        "لا، لا توجد صورة.",
        "Tidak, tidak ada gambar yang terlampir.",
        "Không, tôi không thấy hình ảnh nào.",
    ],
)
def test_who_has_no_picture_or_asks_for_it_has_not_seen_it(reply: str) -> None:
    assert read_choice(reply).missing == "refused"


@pytest.mark.parametrize(
    "reply",
    [
        "No, there is no image in it that I like.",
        "No. Nothing in the picture grabs me.",
        "Nein, das Bild spricht mich nicht an.",
        "Нет, изображение скучное.",
        "いいえ、画像がつまらないです。",
        "不，图片太无聊了。",
    ],
)
def test_who_dislikes_the_picture_has_seen_it(reply: str) -> None:
    assert read_choice(reply).answer == "no"


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("Kaydırmam, bu tarifi annem de yapardı.", "yes"),
        ("Kaydırırdım, bu tarifi biliyorum.", "no"),
        ("İzlemeye devam etmem.", "no"),
        ("İzlemeye devam ederim.", "yes"),
        ("끝까지 안 보고 넘길래요.", "no"),
        ("안 넘기고 끝까지 볼래요.", "yes"),
    ],
)
def test_a_denial_inside_a_verb_is_never_turned_round(reply: str, answer: str) -> None:
    """As somebody wrote who had seen neither the rules nor the other replies."""
    assert read_choice(reply).answer in (answer, None)
