"""Answers without a word for yes or no: "I would scroll past this.", "Absolutely, I'd stay."

A verb for staying or leaving answers whatever was asked. "Absolutely" answers alone, or beside a
verb that agrees; models also begin with it what is no answer ("Certainly! Here is ..."). Whatever
limits or contrasts makes the reply one without an answer. English only, and the same for both.
"""

from __future__ import annotations

import re
from typing import Literal

from personas.stance import stances

_AFFIRMED = re.compile(r"(?:absolutely|definitely|of course|certainly|for sure)(?P<not> not)?")
_SENTENCES = re.compile(r"[.!?…\n]+")
_CLAUSES = re.compile(r"[,;:]|\s[–—-]+\s")
_THING = (
    r"(?:it|this|that|(?:(?:this|that|the)(?: \w+)? (?:one|video|clip|content|post|reel|short)))"
)
_WATCH = (
    r"(?:(?:stay|stop|stop scrolling|stick around)(?: (?:for|on|with) {thing})?"
    r"(?: (?:and|to) watch(?: {thing})?)?"
    r"|(?:keep|continue|keep on)(?: to)? watch(?:ing)?(?: {thing})?|watch(?: {thing})?)"
    r"(?: (?:to|until) the (?:very )?end| all the way| in full)?"
)
_GO = (
    r"(?:(?:keep|continue|keep on)(?: to)? (?:scroll|swip)(?:ing|e)?"
    r"|(?:scroll|swipe|move)(?: {thing})? ?(?:past|on|away|along|by)?(?: {thing})?"
    r"(?: to the next(?: \w+)?)?"
    r"|skip(?: {thing})?|pass on {thing})"
)
_LED = (
    r"(?:(?:oh|well|honestly|personally|so|hmm+|ok|okay|absolutely|definitely|certainly|of course)"
    r"(?: not)?,? |(?:as|being) an? (?:\w+[ -]){1,6}?\w+, )*"
)
_ADVERBS = r"(?: (?:definitely|certainly|absolutely|simply|just|gladly|happily|quickly|really))*"
_SAID = re.compile(
    rf"{_LED}i(?:'d|'ll| would| will|(?= (?:won't|wouldn't))){_ADVERBS}"
    rf"(?: not| won't|n't| wouldn't)?{_ADVERBS} (?:{_WATCH}|{_GO})"
    r"(?:,? (?:because|since|as i|for sure|without hesitation|right away|immediately)\b.*|,.*)?"
    .replace("{thing}", _THING)
)  # fmt: skip
_LIMITS = re.compile(
    r"\b(?:if|unless|when|whenever|but|though|although|however|otherwise|only|maybe|perhaps|might|may"
    r"|could|except|before|rather|then|than|instead|yet|until(?! the)|sometimes|usually|depend\w*"
    r"|seconds?|briefly|probably|while|here(?: is|'s))\b"
)


def verb_answer(said: str, reason: str, *, mirrored: bool) -> Literal["yes", "no"] | None:
    """Return what a reply without a word for yes or no answers to the question as it was put.

    Parameters
    ----------
    said, reason
        The reply as `personas.reply_text.plain` text, and its reason, which may speak against it.
    mirrored
        Whether the opposite was asked, so that staying means no.
    """
    if _LIMITS.search(said):
        return None
    found = stances(f"{said}\n{reason}", "")
    if len(found) > 1:
        return None
    first = _SENTENCES.split(said.strip())[0].strip()
    opening = _AFFIRMED.fullmatch(_CLAUSES.split(first)[0].strip())
    if opening is not None:
        word: Literal["yes", "no"] = "no" if opening["not"] else "yes"
        alone = _AFFIRMED.fullmatch(said.strip(" .!…")) is not None
        agrees = found == {"stay" if (word == "yes") != mirrored else "leave"}
        return word if agrees or (alone and not found) else None
    if not found or _SAID.fullmatch(first) is None:
        return None
    return "yes" if (found == {"stay"}) != mirrored else "no"
