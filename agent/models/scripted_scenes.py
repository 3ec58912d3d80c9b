"""What the scripted editor and the scripted witness tell of a frame: made up from its bytes.

The same frame always shows the same made-up scene, so descriptions, edits, checks and probes hang
together without a look at the picture.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

SLOTS: dict[str, tuple[str, ...]] = {
    "count": ("two", "six", "ten", "four", "five", "nine", "three", "seven", "eight"),
    "attribute": ("green", "brown", "white", "black", "beige", "purple", "golden", "silver"),
    "object": ("kites", "boats", "lamps", "drums", "bikes", "violins", "baskets", "candles"),
    "relation": ("behind", "beside", "inside", "beyond", "above", "under"),
    "action": ("singing", "dancing", "reading", "cooking", "painting", "juggling", "knitting"),
    "place": (
        "in a park",
        "in a cafe",
        "on a pier",
        "on a roof",
        "in a garden",
        "in a forest",
        "in a studio",
        "on a bridge",
    ),
}
"""What a scene is made of: one word of each kind. Of each length there are two at least, and an
edit takes one of the same length, so that the texts' surface never tells them apart."""
SPOILS = ("none", "same", "two", "long", "style", "true")
"""How an edit can go wrong: not at all, no error, two errors, longer by half, another style, and a
change that is no error."""
_SECOND = {"place": "action", "persona": "object"}
"""What goes wrong as well where an edit has two errors; else the place."""
_VAGUE = {
    "count": "some",
    "attribute": "plain",
    "object": "things",
    "relation": "around",
    "action": "at it",
    "place": "out there",
    "suit": "please",
    "bore": "annoy",
    "watch": "see",
    "leave": "skip",
}
"""Words that say less or the same, and nothing wrong."""
_OPINION = {"watch": "leave", "leave": "watch", "suit": "bore", "bore": "suit"}
_LINE = re.compile(r"^(Text|Kind of error|Statement|[AB12]): (.*)$", re.MULTILINE)


def scene(frame: bytes) -> dict[str, str]:
    return {slot: words[_draw(len(words), frame, slot)] for slot, words in SLOTS.items()}


def described(shown: Mapping[str, str]) -> str:
    first = "{count} {attribute} {object} stand {relation} an old piano."
    return f"{first.format(**shown).capitalize()} Someone is {shown['action']} {shown['place']}."


def holds(text: str, shown: Mapping[str, str], blind_to: str = "") -> bool:
    """Tell whether a text is true of a scene; ``blind_to`` is a kind not looked at."""
    return all(
        word == shown[slot]
        for slot, words in SLOTS.items()
        for word in words
        if slot != blind_to and _has(text, word)
    )


def edited(text: str, error: str, frame: bytes, spoil: str) -> str:
    """Put one error of a kind into a text, or spoil it as `SPOILS` says."""
    wrong = _swapped(text, error, frame)
    match spoil:
        case "same":
            return text
        case "two":
            return _swapped(wrong, _SECOND.get(error, "place"), frame)
        case "long":
            return f"{wrong[:-1]} and more of it {'and on ' * 4}too."
        case "style":
            return wrong.replace(".", "!!!")
        case "true":
            return _swapped(text, error, frame, vague=True)
    return wrong


def reply(user: str, traits: bool, frame: bytes, settings: Mapping[str, str]) -> str:
    """Answer what was asked about preferences; ``traits`` tells whether a persona was asked."""
    parts, shown = dict(_LINE.findall(user)), scene(frame)
    blind_to = settings.get("confuses", "")
    if "1" in parts:
        return "Yes" if _differences(parts["1"], parts["2"]) == {parts["Kind of error"]} else "No"
    if "Kind of error" in parts:
        return edited(parts["Text"], parts["Kind of error"], frame, settings.get("spoil", "none"))
    if "A" in parts:
        letter = _picked(parts["A"], parts["B"], shown, blind_to)
        return f"{letter}\nReason: It shows this: {parts[letter]}" if "Reason:" in user else letter
    if "Statement" in parts:
        right = holds(parts["Statement"], shown, blind_to) and _means_it(parts["Statement"])
        return "Yes" if right != ("is any part" in user.casefold()) else "No"
    return _spoken(user, shown) if traits else described(shown)


def _differences(first: str, second: str) -> set[str]:
    """Kinds of word in which two texts differ; opinions are what the speaker feels."""
    kinds = {slot for slot, words in SLOTS.items() if _of(first, words) != _of(second, words)}
    opinions = _of(first, _OPINION) != _of(second, _OPINION)
    return kinds | ({"what the speaker feels"} if opinions else set())


def _of(text: str, words: Iterable[str]) -> set[str]:
    return {word for word in words if _has(text, word)}


def _picked(first: str, second: str, shown: Mapping[str, str], blind_to: str) -> str:
    """Letter of the true statement; of the other where what is confused tells them apart."""
    letter = "A" if holds(first, shown) else "B"
    confused = blind_to and holds(first, shown, blind_to) and holds(second, shown, blind_to)
    return {"A": "B", "B": "A"}[letter] if confused else letter


def _spoken(user: str, shown: Mapping[str, str]) -> str:
    leaves = "to leave it" in user
    ends = ("leave", "bore") if leaves else ("watch", "suit")
    thing = "{count} {attribute} {object}".format(**shown)
    return f"I would {ends[0]} this clip, because {thing} {ends[1]} me."


def _means_it(text: str) -> bool:
    """Whether a spoken sentence is of one mind; a description always is."""
    return not (
        (_has(text, "watch") and _has(text, "bore")) or (_has(text, "leave") and _has(text, "suit"))
    )


def _swapped(text: str, error: str, frame: bytes, *, vague: bool = False) -> str:
    there = sorted(_of(text, _OPINION if error == "persona" else SLOTS[error]))
    if not there:
        return text
    word = there[_draw(len(there), frame, "opinion")]
    if vague:
        other = _VAGUE[word if error == "persona" else error]
    elif error == "persona":
        other = _OPINION[word]
    else:
        others = [each for each in SLOTS[error] if len(each) == len(word) and each != word]
        other = others[_draw(len(others), frame, error, "other")]
    changed = re.sub(rf"\b{word}\b", other, text, flags=re.IGNORECASE)
    return changed[:1].upper() + changed[1:]


def _has(text: str, word: str) -> bool:
    return re.search(rf"\b{word}\b", text, re.IGNORECASE) is not None


def _draw(many: int, frame: bytes, *about: str) -> int:
    seed = "/".join(about).encode() + frame
    return int.from_bytes(hashlib.sha256(seed).digest()[:8]) % many
