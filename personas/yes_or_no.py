"""Finds the yes or the no that a reply gives, if nothing in it speaks against it.

An answer counts where answers stand: at the beginning, alone on a line, at the very end, or after
"My answer is". Any other answer of its own in the reply, a verb against the word, or a correction
makes the reply one without an answer. The rules are the same for yes and for no. Replies that hold
no such word are left to `personas.answers_without_yes_or_no`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from personas.answer_words import (
    ENGLISH,
    JOINED_LEADS,
    LEADS,
    WEAK_LEADS,
    Language,
    languages,
    languages_of,
)
from personas.answers_without_yes_or_no import verb_answer
from personas.stay_or_leave import (
    OwnQuestion,
    asks,
    bare_verbs,
    is_plain,
    labels_stance,
    split_label,
    stances,
)

Answer = Literal["yes", "no"]

_ENDERS = ".!?。…।؟"
_AROUND = f" {_ENDERS}¡¿()-"
_SENTENCE = re.compile(rf"[^{_ENDERS}]+[{_ENDERS}]*|[{_ENDERS}]+")
_NUMBERED = re.compile(r"\b(yes|no)\. ?(?=\d)")
_CLAUSES = re.compile(r"([,;:()،؛、]|\s[–—-]+\s|[–—]|-+>|→)")
_LEAD = re.compile(
    rf"(?:(?P<weak>{WEAK_LEADS})|(?:{LEADS}))\b[\s,:]*|(?:{JOINED_LEADS})[\s,:、，]*"
)
_SPOKEN = re.compile(
    r"\b(?:say|says|said|saying|reads|asks|asked|shouts?|shouting|whispers|caption|text|sign|title"
    r"|written|screen|quote|question)\b"
)
_ECHO = re.compile(
    r"(?:\b(?:answer|respond|reply|write|say)\b[^\n]{0,40}\b(?:with|in|only|exactly|either|just)\b"
    r"|\bone word\b|\bquestion\b)"
)
_CORRECTION = re.compile(
    r"chang(?:ed|e|ing) my mind|scratch that|on second though|take (?:that|it) back|just kidding"
    r"|\bcorrection\b|on reflection|strike that|let me (?:correct|rephrase|reconsider)|i misspoke"
    r"|i meant"
    r"|(?:^|[.,;!?…]\s*)wait\b\s*(?:[.,;!?…]|$)|\bj/k\b|\bdoch nicht\b|pensándolo bien|à la"
    r" réflexion"
    r"|tout bien réfléchi|pensando bem|ripensandoci|bij nader inzien|мне кажется, нет|хотя нет"
    r"|нет, стоп"
    r"|передумал|等等|不对，|更正|やっぱり|いや、やはり|아니다|다시 생각해"
)
_NOT_AT_ALL = re.compile(
    r"(?:and |but |so |well )?(?:not really|not at all|definitely not|absolutely not|of course not"
    r"|probably not|certainly not|not|i guess not|i think not|maybe not|perhaps not)"
)
_SIGNS = {**dict.fromkeys("👍✅✔", "yes"), **dict.fromkeys("👎❌✖", "no")}
"""Signs that are an answer where nothing else stands after a label."""
_FOR_YES, _FOR_NO = "👍✅✔🙆", "👎❌✖🙅🚫⛔"


@dataclass(frozen=True)
class Statement:
    """One place in a reply that gives an answer."""

    answer: Answer
    word: str
    firm: bool
    """Whether it stands where answers stand, or only beside something else."""
    worded: bool = True
    """Whether it is a word for yes or no, and not a mere "not"."""


def find_answer(said: str, reason: str = "", *, mirrored: bool = False) -> Answer | None:
    """Return the answer that a reply gives to the question as it was put.

    ``said`` and ``reason`` are `personas.reply_parser.plain` text; the reason may speak against the
    answer, and gives none. ``mirrored``: the opposite was asked, so that a verb for leaving agrees
    with yes.
    """
    cleaned, asked = _without_question(_without_signs(_own_labels(said)), mirrored=mirrored)
    if cleaned is None or _CORRECTION.search(cleaned):
        return None
    leaves = asked == "leave" if asked else mirrored
    statements = list(_statements(cleaned))
    firm = next((each for each in statements if each.firm), None)
    if firm is None:
        if "?" in said or any(each.worded for each in statements):
            return None
        return None if asked else verb_answer(cleaned, reason, mirrored=mirrored)
    near = {*languages_of(firm.word), *(x for x in languages() if x.code == ENGLISH)}
    against = [each for each in (*statements, *_statements(reason)) if each.answer != firm.answer]
    if any(each.firm or not near.isdisjoint(languages_of(each.word)) for each in against):
        return None
    signs = _FOR_NO if firm.answer == "yes" else _FOR_YES
    if any(sign in said for sign in signs):
        return None
    if not _verbs_agree(firm, f"{cleaned}\n{reason}", mirrored=leaves):
        return None
    contrary: Answer = "no" if firm.answer == "yes" else "yes"
    return firm.answer if leaves == mirrored else contrary


def _verbs_agree(statement: Statement, text: str, *, mirrored: bool) -> bool:
    if bare_verbs(text) - {statement.answer}:
        return False
    stays = (statement.answer == "yes") != mirrored
    return stances(text, statement.word) <= {"stay" if stays else "leave"}


def _without_signs(said: str) -> str:
    """Put a full stop for each emoji, which ends a sentence as one does."""
    return "".join(
        "." if unicodedata.category(sign) in ("So", "Sk", "Cs") else sign for sign in said
    )


def _own_labels(said: str) -> str:
    """Put a question for each label about staying or leaving, and leave a form's other lines out.

    "Keep watching: yes" is read as "Keep watching? Yes". Where every line has a label, only those
    about staying or leaving and those that are answers count.
    """
    lines = _both_in_brackets().sub("", said).splitlines()
    split = [split_label(line) for line in lines]
    own = [part is not None and _is_own_label(*part) for part in split]
    form = all(split) and len(lines) > 1 and any(own)
    kept = []
    for line, part, owns in zip(lines, split, own, strict=True):
        if part is not None and owns:
            kept.append(f"{part[0]}? {_SIGNS.get(part[1].strip(' .'), part[1])}")
        elif not (form and part is not None and _label().match(line) is None):
            kept.append(line)
    return "\n".join(kept)


def _is_own_label(label: str, rest: str) -> bool:
    word = _first_word(_SIGNS.get(rest.strip(" ."), _without_signs(rest)))
    return word is not None and labels_stance(label, word)


def _without_question(said: str, *, mirrored: bool) -> tuple[str | None, OwnQuestion | None]:
    """Leave out the questions, and tell what they ask where it is not what was asked.

    ``None`` in place of the text where both answers stand side by side, or where it cannot be told
    which question is answered.
    """
    kept: list[str] = []
    asked: OwnQuestion | None = None
    last = 0
    sentences = [
        (match[0].strip(), number)
        for number, line in enumerate(_NUMBERED.sub(r"\1# ", said).splitlines())
        for match in _SENTENCE.finditer(line)
        if match[0].strip(_AROUND)
    ]
    for place, (sentence, number) in enumerate(sentences):
        rest, question = _rest_of(sentence)
        if rest is None:
            return None, None
        if question:
            following = sentences[place + 1][0] if place + 1 < len(sentences) else ""
            word = _first_word(rest or following)
            about = asks(_both().sub(" ", sentence), word)
            if about == "unclear":
                return None, None
            if about is not None and (about == "leave") != mirrored:
                if asked or word is None or any(kept) or not is_plain(sentence):
                    return None, None
                asked = about
            elif about is not None and asked:
                return None, None
        if rest:
            kept.append(rest if number == last else f"\n{rest}")
            last = number
    text = " ".join(kept)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip()), asked


def _rest_of(sentence: str) -> tuple[str | None, bool]:
    """Return a sentence without the question in it, and whether there was one."""
    asking = sentence.endswith(("?", "؟"))
    if _both().search(sentence):
        if "?" not in sentence and not _ECHO.search(sentence):
            return None, False
        return _after_echo(sentence), True
    if not asking:
        return sentence, False
    if _asked_back(sentence):
        return None, True
    return (sentence, False) if _begins(sentence) else ("", True)


def _first_word(sentence: str) -> str | None:
    return _read_clause(_CLAUSES.split(_without_lead(sentence.strip(_AROUND))[0])[0].strip(_AROUND))


def _after_echo(sentence: str) -> str:
    rest = _both().split(sentence)[-1].strip(" ?:)")
    return rest if _begins(rest) else ""


def _begins(sentence: str) -> bool:
    return _read_clause(_CLAUSES.split(sentence.strip(_AROUND))[0].strip()) is not None


def _asked_back(sentence: str) -> bool:
    """Tell whether a question is nothing but a word for an answer: "Yes?"."""
    return _whole().fullmatch(sentence.strip(_AROUND)) is not None


def _statements(text: str) -> Iterator[Statement]:
    lines = text.splitlines()
    for number, line in enumerate(lines):
        sentences = [s for s in (m[0].strip(_AROUND) for m in _SENTENCE.finditer(line)) if s]
        for place, sentence in enumerate(sentences):
            ends = number in (0, len(lines) - 1) and place == 0
            alone = len(sentences) == 1 or (
                number == len(lines) - 1 and place == len(sentences) - 1
            )
            yield from _of_sentence(sentence, leads=ends, alone=alone)


def _of_sentence(sentence: str, *, leads: bool, alone: bool) -> Iterator[Statement]:
    for match in _labelled().finditer(sentence):
        yield _statement(match["word"], firm=True)
    sentence, weak = _without_lead(sentence)
    barred = False
    for place, (part, follows) in enumerate(_clauses(sentence)):
        clause, weak_part = _without_lead(part) if place else (part, weak)
        if (word := _read_clause(clause)) is not None:
            whole = _whole().fullmatch(clause) is not None
            firm = leads or (alone and whole and place == 0)
            yield _statement(word, firm=firm and not weak_part and not barred)
        elif _NOT_AT_ALL.fullmatch(clause):
            yield Statement("no", "no", firm=False, worded=False)
        elif (last := _last().search(clause)) is not None:
            yield _statement(last["word"], firm=False)
        barred = barred or follows in tuple(";:()") or _bars(clause)


def _clauses(sentence: str) -> Iterator[tuple[str, str]]:
    parts = [*_CLAUSES.split(sentence), ""]
    yield from ((parts[at].strip(), parts[at + 1].strip()) for at in range(0, len(parts), 2))


def _bars(clause: str) -> bool:
    """Tell whether what follows a clause may be quoted, or a second thought."""
    return _SPOKEN.search(clause) is not None or _first().match(clause) is not None


def _without_lead(sentence: str) -> tuple[str, bool]:
    """Take "Answer:", "Oh," and their like off, and tell whether any of them hedges."""
    weak = False
    while True:
        label, lead = _label().match(sentence), _LEAD.match(sentence)
        match = label or lead
        if match is None or match.end() == len(sentence):
            return sentence, weak
        weak = weak or (match is lead and lead["weak"] is not None)
        sentence = sentence[match.end() :].strip()


def _read_clause(clause: str) -> str | None:
    """Return the word for an answer that a clause begins with and is about."""
    match = _whole().fullmatch(clause) or _goes_on().match(clause)
    return None if match is None else match["word"]


def _statement(word: str, *, firm: bool) -> Statement:
    yes = any(word in each.yes for each in languages())
    return Statement("yes" if yes else "no", word, firm)


def _alternatives(of: Iterator[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(set(of), key=len, reverse=True))


def _words() -> str:
    return _alternatives(word for each in languages() for word in each.words)


_EMPHASIS = (
    r"please|thanks|thank you|indeed|definitely|absolutely|of course|certainly|for sure|sir|i"
    r" would|totally"
    r"|i do|obviously|100 ?%|です|吧|요|sicher|gerne|claro|bien sûr|certo|конечно|не|danke|gracias"
    r"|merci|danke"
)
_REASONS = (
    r"because|since|as|i|i'd|i'm|it|it's|its|this|that|that's|for|from|definitely|absolutely|but"
    r"|weil|denn"
    r"|porque|car|parce|perché|omdat|want|pq|cause|cuz|coz|bc|потому|karena|çünkü|bo|ponieważ|vì"
    r"|क्योंकि|لأن|لأنني|لأنه"
)


@cache
def _whole() -> re.Pattern[str]:
    words = _words()
    return re.compile(
        rf"(?P<word>{words})(?:[\s,]+(?P=word))*(?:[\s,]*\b(?:{_EMPHASIS}))*", re.IGNORECASE
    )


@cache
def _goes_on() -> re.Pattern[str]:
    return re.compile(rf"(?P<word>{_words()}) (?:{_REASONS})(?= |$|')")


@cache
def _first() -> re.Pattern[str]:
    return re.compile(rf"(?:{_words()})\b")


@cache
def _last() -> re.Pattern[str]:
    return re.compile(rf"(?:^|\s)(?P<word>{_words()})$")


@cache
def _both() -> re.Pattern[str]:
    return re.compile("|".join(_pair(each) for each in languages()))


@cache
def _both_in_brackets() -> re.Pattern[str]:
    """Match "(yes/no)", as it stands behind a label or a question."""
    return re.compile(rf" ?[(\[](?:{_both().pattern})[)\]](?=\s*[?:=])")


def _pair(language: Language) -> str:
    yes, no = _alternatives(iter(language.yes)), _alternatives(iter(language.no))
    either = language.either if language.joined else rf"(?<!\w)(?:{language.either})(?!\w)"
    between = rf"\s*,?\s*(?:{either}|/|\|)\s*(?:an? )?"
    return rf"(?<!\w)(?:(?:{yes}){between}(?:{no})|(?:{no}){between}(?:{yes}))(?!\w)"


def _labels() -> str:
    return "|".join(each.label for each in languages() if each.label)


@cache
def _label() -> re.Pattern[str]:
    nouns = (
        rf"{_labels()}|decision|verdict|vote|choice|pick|conclusion|assistant|output|ans|a|result"
    )
    return re.compile(
        rf"(?:(?:the|my|your|so|our|мой) )*(?:(?:final|short|overall|one-word|honest|direct) )?"
        rf"(?:{nouns})\s*(?:is\s*)?(?:[:=]|-+>)+\s*"
        r"|[^\W\d_]{2,20}(?: [^\W\d_]{2,20})? \(\d{2}, [^():]{2,40}\): ?"
    )


@cache
def _labelled() -> re.Pattern[str]:
    nouns = rf"{_labels()}|decision|verdict|vote|choice|pick|conclusion"
    words = _words()
    copula = (
        r"is|would be|will be|must be|has to be|remains|ist|lautet|wäre|es|est|é|è|sería|seria"
        r"|是|为|は|은|는"
    )
    return re.compile(
        rf"(?:(?:{nouns})(?: to (?:this|that|it|the question))?\s*(?:\b(?:{copula})\b|[:=]|-+>"
        rf"|{copula})+\s*:?\s*"
        r"|\b(?:i'd|i would|i'll|i will)(?: have to| probably| definitely| just| still| rather)*"
        r" (?:say|answer|go with|vote|respond|choose)(?: with)?:? "
        r"|\b(?:it's|that's|it is|this is|that is|would be|it'd be|be)(?: \w+ly)? an? (?:\w+"
        r" ){0,2}?"
        r"|\blean(?:ing)? (?:towards? )?)"
        rf"(?:an? |definitely |clearly |simply |probably |just |still )*(?P<word>{words})"
        r"(?=(?:です|だ|でした|になります|입니다)?\s*(?:$|[,;:()])"
        r"| (?:because|since|as|for|from|to me|then|here|i|in)\b)"
    )
