"""Doors of models: their replies, what they say that a call used, and batches of results."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from inspect_ai.model import ModelUsage
from pydantic import ValidationError

from agent.judge.reply_cache import ReplyFiles
from agent.models.batches.service import read_lines
from agent.models.custom_reply import check_reply
from agent.models.local_server.worker_messages import read_reply, write_reply
from agent.models.paid_calls import read_usage
from agent.models.prices import Price
from personas.answer_words import languages
from personas.questionnaire import read_isq
from personas.reply_parser import Reading, read_choice, read_pick, read_text
from store.runs.ledger_lines import Judgement
from tests.fuzz.guard import Target


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass" if b"\xed" in content else "replace")


def _reader(read: Callable[[str], Reading]) -> Callable[[bytes, Path], object]:
    def run(content: bytes, _: Path) -> object:
        try:
            text = _text(content)
        except UnicodeDecodeError:
            text = content.decode("latin-1")
        told = read(text)
        assert (told.answer is None) or told.missing is None
        assert told.score is None or 0 <= told.score <= 100
        kept = Judgement(
            answer=told.answer,
            missing=told.missing,
            score=told.score,
            isq=told.isq,
            reason=told.reason,
            description=told.description,
            reply=text[:2000],
        )
        assert Judgement.model_validate_json(kept.model_dump_json()) == kept
        return kept

    return run


_LEADS = (
    "",
    "",
    "Answer: ",
    "answer - ",
    "My answer is ",
    "**",
    '"',
    "Oh, ",
    "Well, ",
    "Final answer: ",
)
_TAILS = ("", ".", "!", ", because ", ". ", " - ", "\nReason: ", ": ", "**\n", "\n\n")
_REST = (
    "it is dull",
    "I like birds",
    "this is about cars",
    "I never watch sports",
    "yes",
    "no",
    "maybe",
    "the caption says yes",
    "the sign reads no",
    "my friends would say yes",
    "not my thing",
    "it would be a yes for others",
    "keep",
    "watch",
    "surfing is what I love",
    "who knows",
    "and",
)


def say(content: bytes, which: str) -> str:
    """Make a reply that begins with a plain answer, by the bytes of an input."""
    told = list(content[:12]) + [0] * 12
    words = [word for each in languages() for word in getattr(each, which)]
    word = words[(told[0] * 256 + told[1]) % len(words)]
    if told[2] % 3 == 0:
        word = word.capitalize()
    tail = _TAILS[told[11] % len(_TAILS)]
    rest = " ".join(_REST[one % len(_REST)] for one in told[5 : 5 + told[4] % 6]) if tail else ""
    return f"{_LEADS[told[3] % len(_LEADS)]}{word}{tail}{rest}"


def _never_contrary(content: bytes, _: Path) -> object:
    """A reply whose first word is no is never a yes, nor the other way round."""
    yes = {word for each in languages() for word in each.yes}
    no = {word for each in languages() for word in each.no}
    for which, contrary, other in (("no", "yes", yes), ("yes", "no", no)):
        reply = say(content, which)
        first = reply.lower()
        if any(word in first.split() and word in (yes & no) for word in (*other,)):
            continue  # one that means yes in one language and no in another
        assert read_choice(reply).answer != contrary, reply
    return None


def _read_batch(content: bytes, _: Path) -> object:
    """The bodies as they stand: a reply is made of them, which cleans what it takes."""

    def one(fields: dict[str, Any]) -> tuple[str, Any]:
        return str(fields["custom_id"]), fields["response"]["body"]["choices"][0]

    return sorted(ascii(result) for result in read_lines(content, one).items())


def _read_own(content: bytes, place: Path) -> object:
    """Hold what a plug-in, a worker or the kept replies give to what a reply is."""
    key = "ab" * 32
    path = place / key[:2] / f"{key}.json"
    path.parent.mkdir()
    path.write_bytes(content)
    kept = ReplyFiles(place).read(key)
    made = []
    if kept is not None:
        made.append(check_reply(kept))
    with suppress(ValueError):  # pydantic's own among them
        made.append(check_reply(read_reply(content)))
    for reply in made:
        assert reply.p_yes is None or 0 <= reply.p_yes <= 1
        assert reply.cost_usd is None or reply.cost_usd >= 0
        assert check_reply(read_reply(write_reply(reply))) == reply
    return [reply.p_yes for reply in made]


def _read_usage(content: bytes, _: Path) -> object:
    use = read_usage(ModelUsage.model_validate_json(content))
    cost = None if use is None else use.cost(Price("openai", "gpt-4o"))
    assert cost is None or cost >= 0
    return cost


_PARSERS = (
    "personas/reply_parser.py",
    "personas/yes_or_no.py",
    "personas/answers_without_yes_or_no.py",
    "personas/stay_or_leave.py",
    "personas/refusals.py",
)
TARGETS = (
    Target("reply_choice", _PARSERS, _reader(read_choice), kind="text"),
    Target(
        "reply_mirrored",
        _PARSERS,
        _reader(lambda text: read_choice(text, mirrored=True)),
        kind="text",
    ),
    Target("reply_pick", _PARSERS[:1], _reader(read_pick), kind="text"),
    Target("reply_text", _PARSERS[:1], _reader(read_text), kind="text"),
    Target("reply_isq", ("personas/questionnaire.py",), _reader(read_isq), kind="text"),
    Target("reply_plain_answer", _PARSERS, _never_contrary),
    Target("batch_results", ("agent/models/batches/service.py",), _read_batch, kind="lines"),
    Target(
        "model_reply",
        (
            "agent/models/custom_reply.py",
            "agent/judge/reply_cache.py",
            "agent/models/local_server/worker_messages.py",
        ),
        _read_own,
        (ValueError,),
        "json",
    ),
    Target("model_usage", ("agent/models/paid_calls.py",), _read_usage, (ValidationError,), "json"),
)
