"""Answers without a word for yes or no: "I would scroll past this.", "Absolutely, I'd stay."

A verb for staying or leaving answers whatever was asked. "Absolutely" answers alone, or beside a
verb that agrees; models also begin with it what is no answer ("Certainly! Here is ..."). Whatever
limits or contrasts makes the reply one without an answer. The same for both.

In other languages than English ("Ich würde weiterschauen.") only a first clause of nothing but the
verb, its negation and filling words is read, so that one about somebody else, or with a condition,
is not.
"""

from __future__ import annotations

import re
from typing import Literal

from personas.answer_words import ENGLISH, Language, languages
from personas.stay_or_leave import Stance, is_plain_clause, stances, stems_of

_AFFIRMED = re.compile(
    r"(?:absolutely|definitely|of course|certainly|for sure|you bet(?: i would)?|for certain"
    r"|no doubt"
    r"|auf jeden fall|natürlich|selbstverständlich|por supuesto|desde luego|bien sûr|certainement"
    r"|com certeza|claro|certo|certamente|zeker(?: weten)?|natuurlijk|конечно|обязательно"
    r"|oczywiście"
    r"|kesinlikle|tabii ki|tentu(?: saja)?|当然|當然|もちろん(?:です)?|당연하죠|당연하지|물론이죠"
    r"|물론입니다"
    r"|بالتأكيد|بالطبع|ज़रूर|звичайно)"
)
_DENIED = re.compile(
    r"(?:(?:absolutely|definitely|of course|certainly) not|no (?:chance|way)(?: i would)?"
    r"|not a chance"
    r"|not in a million years|not happening|auf keinen fall|natürlich nicht|sicher nicht"
    r"|por supuesto que no"
    r"|ni hablar|de ninguna manera|desde luego que no|bien sûr que non|certainement pas"
    r"|pas question"
    r"|de jeito nenhum|com certeza não|claro que não|certo che no|assolutamente no|zeker niet"
    r"|echt niet"
    r"|natuurlijk niet|конечно нет|ни за что|oczywiście,? że nie|kesinlikle hayır|tabii ki hayır"
    r"|tentu(?: saja)? tidak|当然不(?:会)?|當然不(?:會)?|もちろんいいえ|절대 아니죠|당연히 아니죠"
    r"|بالتأكيد لا|بالطبع لا|звичайно,? ні)"
)
_SENTENCES = re.compile(r"[.!?…。！\n]+")
_CLAUSES = re.compile(r"[,;:，、،]|\s[–—-]+\s")
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
_REASON = (
    r"(?:,? (?:because|since|as i|for sure|without hesitation|right away|immediately)\b.*|,.*)?"
)
_SAID = re.compile(
    rf"{_LED}i(?:'d|'ll| would| will|(?= (?:won't|wouldn't))){_ADVERBS}"
    rf"(?: not| won't|n't| wouldn't)?{_ADVERBS} (?:{_WATCH}|{_GO})"
    rf"{_REASON}".replace("{thing}", _THING)
)
_BARE = re.compile(
    rf"(?:(?:i )?(?:definitely|absolutely|just|instant|immediate|easy|hard) )?"
    rf"(?:{_WATCH}|{_GO}|pass)".replace("{thing}", _THING)
)
_ENDS = " .!…。！"
_LIMITS = re.compile(
    r"\b(?:if|unless|when|whenever|but|though|although|however|otherwise|only|maybe|perhaps|might"
    r"|may"
    r"|could|except|before|rather|then|than|instead|yet|until(?! the)|sometimes|usually|depend\w*"
    r"|seconds?|briefly|probably|while|here(?: is|'s))\b"
)


def verb_answer(said: str, reason: str, *, mirrored: bool) -> Literal["yes", "no"] | None:
    """Return the answer of a reply without a word for yes or no.

    ``said`` and ``reason`` are `personas.reply_parser.plain` text; the reason may speak against it.
    ``mirrored``: the opposite was asked, so that staying means no.
    """
    if _LIMITS.search(said):
        return None
    found = stances(f"{said}\n{reason}", "")
    if len(found) > 1:
        return None
    first = _SENTENCES.split(said.strip())[0].strip()
    opening = _assured(_CLAUSES.split(first)[0].strip())
    if opening is not None:
        word = opening
        alone = _assured(said.strip(_ENDS)) is not None
        agrees = found == {"stay" if (word == "yes") != mirrored else "leave"}
        return word if agrees or (alone and not found) else None
    stance = foreign_stance(said, reason)
    if stance is None and not _is_plain(first):
        return None
    stay = found | ({stance} if stance else set())
    if len(stay) != 1:
        return None
    return "yes" if (stay == {"stay"}) != mirrored else "no"


def _assured(text: str) -> Literal["yes", "no"] | None:
    if _DENIED.fullmatch(text):
        return "no"
    return "yes" if _AFFIRMED.fullmatch(text) else None


def _is_plain(first: str) -> bool:
    return _SAID.fullmatch(first) is not None or _BARE.fullmatch(first) is not None


_FOREIGN_CLAUSES = re.compile(r"[.,;:!…()。，、！：；،؛।\n]+|\s[–—-]\s")


def foreign_stance(said: str, reason: str) -> Stance | None:
    """Return whether a text says, in its first clause and nowhere else, to stay or to leave."""
    clauses = [
        part for each in _FOREIGN_CLAUSES.split(f"{said}\n{reason}") if (part := each.strip())
    ]
    if not clauses:
        return None
    found = {
        stance
        for language in languages()
        if language.code != ENGLISH
        for stance in [_of_language(clauses, language)]
        if stance is not None
    }
    return found.pop() if len(found) == 1 else None


def _of_language(clauses: list[str], language: Language) -> Stance | None:
    first = stems_of(clauses[0], language)
    if len(first) != 1 or not is_plain_clause(clauses[0], language):
        return None
    if language.limits is not None and any(language.limits.search(each) for each in clauses):
        return None
    others = {stance for each in clauses for stance in stems_of(each, language)}
    return first.pop() if len(others) == 1 else None
