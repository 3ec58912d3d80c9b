"""Replies of models with what they mean, in mirror images: each as a yes and as a no."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FOLDER = Path(__file__).parent / "replies"
Meaning = Literal["yes", "no", "none"]
Kind = Literal["straight", "mirrored", "isq"]

THOUGHT = (
    "<think>\nThey ask whether I like this. No? Yes? The sign says no, she says yes.\n</think>\n\n"
)
EXPLAINED = (
    "\nReason: it is what I am like, yes and no doubt.\nDescription: a man says no, she says yes."
)

DRESSES: dict[str, Callable[[str], str]] = {
    "bare": lambda reply: reply,
    "bold": lambda reply: f"**{reply}**",
    "quoted": lambda reply: f'"{reply}"',
    "fenced": lambda reply: f"```\n{reply}\n```",
    "thought": lambda reply: THOUGHT + reply,
    "tagged": lambda reply: f"<answer>{reply}</answer>",
    "ended": lambda reply: f"\n {reply}<|im_end|>",
    "explained": lambda reply: reply + EXPLAINED,
}
"""What models put around a reply."""


@dataclass(frozen=True)
class MadeReply:
    """One reply, and what it means."""

    kind: Kind
    language: str
    dress: str
    text: str
    means: Meaning
    """What it says to the question that was put; ``none`` where it must not be read as either."""


def rows(name: str) -> list[list[str]]:
    """Return the lines of a table, with line breaks put in."""
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [[cell.replace("\\n", "\n") for cell in line.split("\t")] for line in lines]


def answers() -> Iterator[MadeReply]:
    """Return every reply that gives an answer, in every dress: a yes, then its no."""
    tables: dict[str, Kind] = {"pairs.tsv": "straight", "opposite_pairs.tsv": "mirrored"}
    for name, kind in tables.items():
        for language, yes, no in rows(name):
            for dress, put_on in DRESSES.items():
                yield MadeReply(kind, language, dress, put_on(yes), "yes")
                yield MadeReply(kind, language, dress, put_on(no), "no")


def imagined() -> Iterator[MadeReply]:
    """Return replies that were written down before the reader was, as models would give them."""
    kinds: dict[str, Kind] = {"straight": "straight", "mirrored": "mirrored", "isq": "isq"}
    meanings: dict[str, Meaning] = {"yes": "yes", "no": "no", "none": "none"}
    for kind, means, reply in rows("made_up.tsv"):
        text = reply.replace("\\\\", "\\")
        yield MadeReply(kinds[kind], "", "bare", text, meanings[means])


def no_answers() -> Iterator[MadeReply]:
    """Return every reply that gives none, in every dress."""
    for why, *both in rows("no_answers.tsv"):
        for dress, put_on in DRESSES.items():
            for text in both:
                yield MadeReply("straight", why, dress, put_on(text), "none")


def outsiders() -> Iterator[MadeReply]:
    """Return replies of somebody who had seen no rule of the reader; the dress is their form."""
    meanings: dict[str, Meaning] = {"yes": "yes", "no": "no", "none": "none"}
    for line in (FOLDER / "by_outsiders.tsv").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            means, _pair, form, language, reply = line.split("\t")
            yield MadeReply("straight", language, form, json.loads(reply), meanings[means])


GRADES: dict[Meaning, tuple[int, ...]] = {"yes": (8, 7, 9, 8, 1, 1), "no": (2, 3, 1, 2, 0, 0)}
KEYS = ("v_a", "c_s", "e_e", "v_e", "p_a", "a_d")

FORMS: dict[str, Callable[[dict[str, int]], str]] = {
    "plain": json.dumps,
    "indented": lambda items: json.dumps(items, indent=2),
    "fenced": lambda items: f"```json\n{json.dumps(items, indent=4)}\n```",
    "between": lambda items: f"My ratings:\n\n{json.dumps(items)}\n\nYes, no, who knows.",
    "thought": lambda items: THOUGHT + json.dumps(items),
    "comments": lambda items: (
        "{\n"
        + "".join(
            f'  "{key}": {item}, // no idea why, but yes {{it is}}\n' for key, item in items.items()
        )
        + "}"
    ),
    "block comments": lambda items: json.dumps(items).replace(",", ", /* yes, no */"),
    "last comma": lambda items: json.dumps(items)[:-1] + ",}",
    "floats": lambda items: json.dumps(
        {k: v if k in KEYS[4:] else v + 0.5 for k, v in items.items()}
    ),
    "in quotes": lambda items: json.dumps({key: str(item) for key, item in items.items()}),
    "switches as words": lambda items: json.dumps(
        {key: ("no", "yes")[item] if key in KEYS[4:] else item for key, item in items.items()}
    ),
    "booleans": lambda items: json.dumps(
        {key: bool(item) if key in KEYS[4:] else item for key, item in items.items()}
    ),
    "explained": lambda items: json.dumps(
        items
        | {"reason": "I can't look away, no: yes.", "description": "He says: I can't help you."}
    ),
    "backwards": lambda items: json.dumps(dict(reversed(items.items()))),
    "summed": lambda items: json.dumps(items | {"total": 30, "S%": 50}),
}
"""Ways to fill in the questionnaire that can be read."""

SPOILT: dict[str, Callable[[dict[str, int]], str]] = {
    "out of range": lambda items: json.dumps(items | {"v_a": 11}),
    "below zero": lambda items: json.dumps(items | {"c_s": -1}),
    "a share": lambda items: json.dumps(items | {"p_a": 0.7}),
    "a range": lambda items: json.dumps(items | {"v_a": "7-8"}),
    "a bare range": lambda items: json.dumps(items).replace('"v_a": ', '"v_a": 7-'),
    "words": lambda items: json.dumps(items | {"e_e": "seven"}),
    "a fraction": lambda items: json.dumps(items | {"e_e": "7/10"}),
    "per cent": lambda items: json.dumps(items | {"v_e": "70%"}),
    "nothing": lambda items: json.dumps(items | {"v_e": None}),
    "a missing key": lambda items: json.dumps({k: v for k, v in items.items() if k != "a_d"}),
    "a key twice": lambda items: json.dumps(items)[:-1] + ', "v_a": 5}',
    "twice": lambda items: f"{json.dumps(items)}\n{json.dumps(items | {'v_a': 5})}",
    "nested": lambda items: json.dumps({"scores": items}),
    "cut off": lambda items: json.dumps(items)[:-4],
    "an unended thought": lambda items: f"<think>\n{json.dumps(items)}",
    "declined": lambda items: f"I'm sorry, I can't assist with that.\n{json.dumps(items)}",
}
"""Ways that must not be read."""


def questionnaires() -> Iterator[MadeReply]:
    """Return filled-in questionnaires of a yes and of a no, whole and spoilt."""
    for means, grades in GRADES.items():
        items = dict(zip(KEYS, grades, strict=True))
        for dress, write in FORMS.items():
            yield MadeReply("isq", "json", dress, write(items), means)
        for dress, write in SPOILT.items():
            yield MadeReply("isq", "json", dress, write(items), "none")
