"""Replies are read strictly: nothing but a plain answer becomes one."""

from __future__ import annotations

import gzip
import importlib.util
import re
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from personas.answer_words import languages, languages_of
from personas.questionnaire import read_isq
from personas.reply_parser import Reading, plain, read_choice
from personas.stay_or_leave import LEAVES, STAYS, bare_verbs, stems_of

PLAIN = [
    "{}",
    "{}.",
    "{}!",
    "  {}\n",
    "\ufeff{}\u200b",
    "**{}**",
    "*{}.*",
    "**{}.**",
    "`{}`",
    "```\n{}\n```",
    "“{}”",
    "'{}'",
    '"{}."',
    "> {}",
    "- {}",
    "# {}",
    "({})",
    "{}。",
    "Answer: {}",
    "answer: {}.",
    "**Answer:** {}",
    "**Answer: {}**",
    'Answer: "{}"',
    "{}\n\nReason: it is what I am about.",
    "{}\nThis is a quiet video of a street.",
    "{}, because it is what I am about.",
    "{}, I think so.",
    "{}. I have seen enough to tell.",
    "{}: it speaks to me in a way.",
    "{} because of the light",
    "{} since I am in that mood",
    "{}, I'd say.",
    "{} I'm sure of it",
    "{} – the light is what decides it",
    "{}—the light is what decides it",
    "{} - the light is what decides it",
    "{}; that is clear",
    "{}... I suppose",
    "{}, I can't help smiling at it.",
    "{}, I can't help but think of home.",
    "{}. I can't pretend to care about anything else.",
    "{}. I can't watch this and think of work.",
    "{}, I am unable to look away or to look.",
    "{}, I refuse to be rushed.",
    "{}. I have my own opinion on that.",
    "{}\nReason: I can't do that trick any more, but I love to see it done.",
    "{}. I can't see the video holding me for long.",
    "{}, as an AI engineer I know what that is.",
]


@pytest.mark.parametrize("form", PLAIN)
@pytest.mark.parametrize("answer", ["yes", "no"])
@pytest.mark.parametrize("spell", [str.lower, str.upper, str.capitalize])
def test_a_plain_answer_is_read(form: str, answer: str, spell: object) -> None:
    assert callable(spell)
    reply = form.format(spell(answer))
    reading = read_choice(reply)
    assert (reading.answer, reading.missing) == (answer, None)
    contrary = {"yes": "no", "no": "yes"}[answer]
    assert read_choice(reply, mirrored=True).answer == contrary


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("Yes, because there is no noise in it.", "yes"),
        ("Yes, it is calm, no people at all, just birds.", "yes"),
        ("No, because there is no music and no dancing.", "no"),
        ("No. Nobody says yes to that much noise", None),
        ("Yes. A no-brainer: it has dogs.", "yes"),
    ],
)
def test_a_contrary_word_is_not_yet_a_contrary_answer(reply: str, answer: str | None) -> None:
    if answer is None:
        assert read_choice(reply).answer in {"no", None}
    else:
        assert read_choice(reply).answer == answer


WEIGHED = "Pros:\n- bright colours\n- yes, a face I know\n\n**Cons**\n1. no topic\n\n"


@pytest.mark.parametrize(
    ("end", "answer"),
    [
        ("", None),
        ("On balance the cons win.", None),
        ("Yes", "yes"),
        ("No", "no"),
        ("I'd keep scrolling.", "no"),
        ("I'd keep watching.", "yes"),
    ],
)
def test_what_speaks_for_and_against_is_no_answer(end: str, answer: str | None) -> None:
    assert read_choice(WEIGHED + end).answer == answer


READABLE = [
    *("Yeah", "Yep", "yes yes", "yes, yes!", "I would say yes", "Final answer: yes", "Sí", "Oui"),
    *("My answer is yes", "<b>yes</b>", "😀 yes", "yes 😀", "Sí, me gusta.", "Oui, j'aime."),
    *(
        "The video shows a dog.\nYes",
        "Ja",
        "Ja, gerne",
        "Да",
        "是",
        "はい",
        "예",
        "نعم",
        "हाँ",
        "Sim",
    ),
    *("Tak", '{"answer": "yes"}', "\\boxed{yes}", "Assistant: yes"),
]


@pytest.mark.parametrize("reply", READABLE)
def test_a_yes_is_read_in_other_words_and_wrappers(reply: str) -> None:
    assert read_choice(reply).answer == "yes"
    assert read_choice(reply, mirrored=True).answer == "no"


UNREADABLE = [
    *("Yes and no", "Yes and no.", "Yes, and no", "Yes & no", "Yes/no", "yes / no", "Yes or no"),
    *("No and yes", "No, yes", "Yes, no", "Yes. No.", "Yes... no", "No; yes.", "Yes - no"),
    *("Yes—no", "Yes, but also no because it is loud", "No, but maybe yes.", "no? yes!"),
    *("Yes, if there are dogs, otherwise no.", "Yes at first, then no", "yes I'd say no"),
    *("Yes, or rather no.", "Yes, it is dull, so no, I swipe", "No, I'd say yes since it is calm"),
    *("Yes\nNo", "No\n\n**Yes**", "Yes\nAnswer: no", "No.\nYes, because it is calm."),
    *("Yes?", "No?", "yes no", "y", "n", "1", "0", "true", "false", "...", "-", "**", "?"),
    *("No idea", "No opinion.", "No comment.", "No preference", "No image", "No. 1 in the charts"),
    *("No answer", "No one would", "no-one", "Sure", "Not really", "No me gusta", "No lo sé"),
    *("Yesterday", "Nothing", "Note: yes", "Maybe", "Maybe yes", "It depends.", "Ja und nein"),
    *("Answer: yes or no", "Answer:", "yes|no", "[yes]", "{yes}", "Yes 👎", "No 👍", "不 是"),
    *("Reason: yes, I like it.", "Description: no people.", "yes" * 50, "no" + "o" * 500),
    *(
        '{"answer": 1}',
        '{"answer": "yes"',
        '{"answer": "yes", "answer": "no"}',
        "Sí y no",
        "是不是",
    ),
    *("Yes\nReason: no.", "No\nReason: yes."),
    *("Yes.\n" + "I like it. " * 2_000, "x" * 1_000_000, "yes " * 100_000),
]


@pytest.mark.parametrize("reply", UNREADABLE, ids=lambda reply: reply[:30])
@pytest.mark.parametrize("mirrored", [False, True])
def test_anything_else_is_unreadable(reply: str, mirrored: bool) -> None:
    assert read_choice(reply, mirrored=mirrored) == Reading(None, "unreadable")


REFUSALS = [
    "I'm sorry, I can't help with that.",
    "I'm sorry, but I can’t assist with that request.",
    "I cannot help with that",
    "I can't help.",
    "I am unable to answer this question.",
    "I'm not able to provide an opinion on this.",
    "I won't comply with this request.",
    "I cannot roleplay as a real person.",
    "I cannot take on the role of this person.",
    "I can't see any image.",
    "I cannot view the attached picture.",
    "I don't see an image here.",
    "As an AI, I don't have preferences.",
    "As an AI language model, I cannot watch videos.",
    "As a large language model I lack tastes.",
    "I don't have personal preferences or feelings.",
    "I must respectfully decline.",
    "I'd rather not answer that.",
    "That is against my guidelines.",
    "No image was provided.",
    "The image could not be loaded.",
    "The video can't be displayed.",
    "I'm not comfortable answering this.",
]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_a_refusal_whatever_stands_before_it(refusal: str) -> None:
    small = refusal[0].lower() + refusal[1:] if not refusal.startswith("I") else refusal
    for reply in (
        refusal,
        f"No. {refusal}",
        f"No, {small}",
        f"Yes. {refusal}",
        f"No\n\n{refusal}",
        f"**No**\nReason: {refusal}",
        refusal.upper(),
        refusal.replace("'", "’"),
    ):
        assert read_choice(reply) == Reading(None, "refused"), reply
        assert read_choice(reply, mirrored=True) == Reading(None, "refused"), reply


def test_what_the_picture_says_is_not_the_model_s_refusal() -> None:
    reply = (
        "Yes\nReason: it is funny.\n"
        "Description: A robot says: I can't help with that.\nNo, it says."
    )
    reading = read_choice(reply)
    assert reading.answer == "yes"
    assert reading.description == "A robot says: I can't help with that.\nNo, it says."


@pytest.mark.parametrize("reply", ["", " ", "\n\n\t", "\u200b\ufeff", "\u00a0", "\u2003\u3000"])
def test_nothing_is_empty(reply: str) -> None:
    assert read_choice(reply) == Reading(None, "empty")
    assert read_isq(reply) == Reading(None, "empty")


def test_reason_and_description_are_kept() -> None:
    reading = read_choice("**No**\n**Reason:** Cars bore me.\n*Description*: A red car,\nparked.")
    assert reading == Reading("no", None, reason="Cars bore me.", description="A red car,\nparked.")
    long = read_choice(f"yes\nReason: {'x' * 5_000}").reason
    assert long is not None
    assert len(long) == 1_000


@given(st.text())
def test_reading_never_fails_and_is_an_answer_or_a_reason_why_not(reply: str) -> None:
    for reading in (read_choice(reply), read_choice(reply, mirrored=True), read_isq(reply)):
        assert (reading.answer is None) != (reading.missing is None)


@given(st.text("yesno and,.!?-*\n{}\"'’:", max_size=30))
def test_without_a_word_for_yes_or_no_there_is_no_answer(reply: str) -> None:
    words = {word for each in languages() for word in each.words}
    if not any(word in plain(reply) for word in words):
        assert read_choice(reply).answer is None


@given(st.sampled_from(["yes", "no"]), st.text())
def test_mirroring_turns_answers_round_and_nothing_else(answer: str, tail: str) -> None:
    assume(re.match(rf"\W*{answer}\b", plain(answer + tail)) and not speaks_of_staying(tail))
    straight = read_choice(answer + tail)
    mirrored = read_choice(answer + tail, mirrored=True)
    assert straight.missing == mirrored.missing
    assert straight.answer in {answer, None}
    turned = {"yes": "no", "no": "yes", None: None}
    assert mirrored.answer == turned[straight.answer]


def speaks_of_staying(text: str) -> bool:
    """Whether a verb stands there, which says the same whatever was asked."""
    said = plain(text)
    foreign = any(stems_of(said, language) for language in languages())
    return foreign or bool(bare_verbs(said) or re.search(f"{STAYS}|{LEAVES}|watch", said))


SPANISH_OR_ITALIAN = {
    *("continuo", "guardo", "miro", "resto", "salto", "seguir", "sigo", "veo", "verlo")
}


def test_an_english_word_is_no_verb_of_a_language_that_says_no_as_well() -> None:
    """CLIP's vocabulary, which none of us chose: "restoring" is no "resto"."""
    clip = importlib.util.find_spec("open_clip")
    assert clip is not None
    assert clip.origin is not None
    listed = Path(clip.origin).with_name("bpe_simple_vocab_16e6.txt.gz")
    pieces = gzip.decompress(listed.read_bytes()).decode().splitlines()
    ends = {"".join(each.split()) for each in pieces if each.endswith("</w>")}
    words = {word for each in ends if re.fullmatch("[a-z]{3,}", word := each[: -len("</w>")])}
    assert len(words) > 100_000
    others = [each for word in ("yes", "no") for each in languages_of(word) if each.code != "en"]
    verbs = {word for word in words if any(stems_of(word, each) for each in others)}
    assert verbs == SPANISH_OR_ITALIAN


@pytest.mark.parametrize(
    "why",
    [
        "restoring bikes bores me",
        "restoration videos",
        "continuous talk bores me",
        "omitted context bores me",
        "lingerie videos bore me",
        "osi layers bore me",
    ],
)
def test_what_stands_behind_an_answer_is_no_verb_because_it_begins_like_one(why: str) -> None:
    for sign in (", ", ". ", ": "):
        for answer, other in (("yes", "no"), ("no", "yes")):
            assert read_choice(f"{answer}{sign}{why}").answer == answer
            assert read_choice(f"{answer}{sign}{why}", mirrored=True).answer == other


def listed(name: str) -> list[list[str]]:
    path = Path(__file__).with_name("replies") / name
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


FALSE_FRIENDS = listed("false_friends.tsv")


@pytest.mark.parametrize(("language", "yes", "no", "sentence"), FALSE_FRIENDS)
def test_a_common_word_is_no_verb_for_staying_or_leaving(
    language: str, yes: str, no: str, sentence: str
) -> None:
    for sign in (", ", ". "):
        for word, answer, other in ((yes, "yes", "no"), (no, "no", "yes")):
            reply = f"{word}{sign}{sentence}"
            assert read_choice(reply).answer == answer, (language, reply)
            assert read_choice(reply, mirrored=True).answer == other, (language, reply)


def test_watching_as_an_experience_is_no_verb_against_the_answer() -> None:
    """ "No, it is boring to watch" was lost more often than "Yes, it is hard to skip"."""
    replies = listed("reasons_about_watching.tsv")
    assert len(replies) == 480
    read = [(language, read_choice(reply).answer, reply) for language, _, reply in replies]
    assert read == [(language, truth, reply) for language, truth, reply in replies]


@pytest.mark.parametrize(
    "reply",
    [
        "No, watching it is painful.",
        "No, it's boring to watch.",
        "Non, l'action reste confuse.",
        "Нет, смотреть на это скучно.",
        "아니요, 계속 보기 힘듭니다.",
        "Nein, das ist langweilig anzuschauen.",
    ],
)
def test_a_no_for_what_is_dull_to_watch_is_a_no(reply: str) -> None:
    assert read_choice(reply).answer == "no"


@pytest.mark.parametrize(
    "reply",
    [
        "Yes, skipping it would be a shame.",
        "Oui, dur de zapper ça.",
        "Да, жалко пропускать такое.",
        "네, 그냥 넘기기 아깝습니다.",
        "Ja, zu spannend zum Wegwischen.",
        "Sí, pasaría horas viendo esto.",
    ],
)
def test_a_yes_for_what_is_hard_to_leave_is_a_yes(reply: str) -> None:
    assert read_choice(reply).answer == "yes"


@pytest.mark.parametrize(
    "reply",
    [
        "Yes, I won't watch it",
        "No, I won't skip it",
        "Ja, ich würde weiterwischen",
        "Ja, jeg springer den over",
        "Ja, ik sla deze over",
        "Ja, jag hoppar över den",
        "Oui, je passe",
        "Sí, salto este vídeo",
        "Nein, ich bleibe dran",
        "Nej, jag vill se på den",
        "Non, je reste",
        "No, io resto",
    ],
)
def test_an_answer_whose_verb_says_its_contrary_is_none(reply: str) -> None:
    assert read_choice(reply).answer is None


def test_verbs_against_the_answer_and_verbs_alone_are_read_alike() -> None:
    """Of 144 contradictions 111 were seen when the set came, and 79 before words were added."""
    replies = listed("contradictions.tsv")
    read = Counter((kind, read_choice(reply).answer) for _, kind, reply in replies)
    assert (read.total(), read["bare-yes", "no"], read["bare-no", "yes"]) == (288, 0, 0)
    assert read["contra", None] >= 111
    assert min(read["bare-yes", "yes"], read["bare-no", "no"]) >= 45
    assert abs(read["bare-yes", "yes"] - read["bare-no", "no"]) <= 2


def test_a_not_counts_in_each_language_that_says_yes_or_no_alike() -> None:
    assert read_choice("Nej, jag vill inte se det").answer == "no"
    assert read_choice("Nej, jeg vil ikke se det").answer == "no"


def test_words_that_a_sign_parts_are_two() -> None:
    for sign in "<>/|=+*_~#[]{}\\":
        assert read_choice(f"no{sign}resto").answer is None


@given(st.text("abcdefgh ,.;:!-—\n'", max_size=60))
def test_yes_and_no_are_read_by_the_same_rules(tail: str) -> None:
    words = {word for each in languages() for word in each.words}
    assume(words.isdisjoint(re.findall(r"\w+", tail)))
    assert read_choice("yes" + tail).missing == read_choice("no" + tail).missing


@pytest.mark.parametrize(
    "reply",
    [
        "yes," + " no" * 6_000,
        "no, as an AI " * 1_500,
        "yes\n" + "reason" + ":" * 19_000,
        "yes" + "." * 19_990,
        "I can't help " * 1_500,
        "I cannot see the any a " * 800,
        "no picture " * 1_800,
        "\n" * 9_000 + "pros\n- a\n" * 1_200,
        "- " * 9_900 + "yes",
    ],
    ids=lambda reply: reply[:20],
)
def test_no_reply_takes_long(reply: str) -> None:
    begun = time.process_time()  # a busy machine does not count
    read_choice(reply)
    read_isq(reply)
    assert time.process_time() - begun < 2
