"""The headline's sentence: the same on the page, in the terminal and in the JSON.

It claims no more than the design can show. After minus before without a control says that the
share of yes changed, and nothing of why.
"""

from __future__ import annotations

ARM_NAMES = {
    "treatment": "treatment",
    "yoked": "yoked control",
    "passive": "passive control",
}
_UNKNOWN = "Without a control arm, nothing tells whether the feed, the site or the hour did it."
_SAID = {
    ("controlled", "up"): (
        "The share of yes rose more, or fell less, in treatment runs than in the {control}."
    ),
    ("controlled", "down"): (
        "The share of yes rose less, or fell more, in treatment runs than in the {control}."
    ),
    ("paired", "up"): f"The share of yes rose from before to after. {_UNKNOWN}",
    ("paired", "down"): f"The share of yes fell from before to after. {_UNKNOWN}",
    ("matrix", "up"): (
        "A persona finds more to say yes to in its own feed than in the other personas’ feeds."
    ),
    ("matrix", "down"): (
        "A persona finds less to say yes to in its own feed than in the other personas’ feeds."
    ),
    ("borrowed", "up"): (
        "The share of yes is higher than the borrowed base foretells. A drift of own feeds alone "
        "would look the same."
    ),
    ("borrowed", "down"): (
        "The share of yes is lower than the borrowed base foretells. A drift of own feeds alone "
        "would look the same."
    ),
}


def verdict_words(design: str, verdict: str, sides: str, control: str, why: str) -> str:
    """Say a verdict as one sentence or two; ``why`` follows where it is capped or has no test."""
    if verdict == "absent":
        return f"The primary test cannot be made yet: {why}."
    if verdict == "untested":
        return f"The primary test cannot be made: {why}."
    if verdict == "capped":
        return f"There is a difference, but it cannot be attributed to the feed, because {why}."
    if verdict == "chance":
        towards = " towards the personas" if sides == "one" else ""
        sway = "specific sway" if design == "matrix" else "sway"
        return f"No {sway}{towards} could be told from chance."
    return _SAID[design, verdict].format(control=ARM_NAMES.get(control, control))


_SHORT: dict[str | tuple[str, str], str] = {
    ("paired", "up"): "share of yes rose",
    ("paired", "down"): "share of yes fell",
    ("borrowed", "up"): "above the borrowed base",
    ("borrowed", "down"): "below the borrowed base",
    ("controlled", "up"): "more than the control",
    ("controlled", "down"): "less than the control",
    ("matrix", "up"): "more in own feeds",
    ("matrix", "down"): "less in own feeds",
    "capped": "not attributed to the feed",
    "chance": "not told from chance",
    "untested": "not tested",
    "absent": "no estimate",
}


def outcome_words(design: str, verdict: str) -> str:
    """The same for a row of a table: a few words."""
    return _SHORT.get((design, verdict)) or _SHORT[verdict]
