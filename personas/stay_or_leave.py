"""Verbs and questions that say whether the writer stays with a video or leaves it.

A yes whose verb says no ("Yes, I would swipe it away") is no answer that can be counted. "Skip?
No." and "Keep watching: no" hold the same word and mean the contrary: a reply that puts the
question as it was asked is read as it stands; one that puts the opposite question, plainly and just
before its answer, is turned round; any other about the opposite makes the answer unreadable.
"""

from __future__ import annotations

import re
from typing import Literal

from personas.answer_words import Language, languages_of

Stance = Literal["stay", "leave"]

_OTHERS = r"(?:he|she|they|we|this person|(?:the|my|this) (?:person|persona|character|user|viewer))"
_SUBJECT = (
    rf"\b(?:i|{_OTHERS})(?: (?:definitely|probably|certainly|really|actually|just|still|simply"
    rf"|honestly"
    r"|personally|also|gladly|happily))*"
)
_MODAL = (
    r"(?:'d|'ll|'m going to|'m| would| will| am going to| am| are| is| might| may| could| can| do|"
    r" does"
    r"| want to| wants to| choose to| prefer to|)"
)
_ADVERB = (
    r"(?: (?!usual|normal|general|typical|rare|occasional|common|former)\w+ly| just| still| also|"
    r" rather| even| most| sooner| much| like to| love to| prefer to"
    r"| want to| wish to| choose to| need to| have to| tend to| be (?:\w+ly )?(?:happy|glad"
    r"|inclined|eager|willing|tempted|likely|keen) to| end up| feel like| be| keep on)*"
)
_OBJECT = (
    r"(?: (?:it|this|that|these|on|more|further|until|through|to the end|all of|for"
    r"|the (?:video|rest|whole|full|clip|entire|content))\b"
    r"|(?=\W*$|[.,;:!?)]| (?:because|since|as|and|with|without|again|right)\b))"
)
STAYS = (
    r"(?:stay(?:ing)?\b(?! away| out| off)|(?:keep|keeps|continue|continues|continuing)(?: on|"
    r" to)? watch\w*"
    rf"|watch(?:ing)?\b{_OBJECT}|stick(?:ing)? around|linger(?:s|ed|ing)?\b"
    r"|(?:like|likes|enjoy|enjoys|love|loves|liking|enjoying)"
    r" (?:it|this|that|the (?:video|clip|content)|what)\b(?! (?:to|if)\b)|interested\b(?! in"
    r" (?:skipping|swiping))"
    r"|stop(?:s|ping)? (?:scroll|swip)\w*|drawn\b|intrigued\b|hooked\b)"
)
LEAVES = (
    r"(?:(?:keep|keeps|continue|continues|continuing)(?: on| to)? (?:scroll|swip)\w*"
    r"|swip(?:e|es|ing)\b|skip(?:s|ping)?\b|scroll\w*|mov(?:e|es|ing) (?:on|along|past)"
    r"|pass(?:ing)?\b(?! (?:it|this|that) (?:on|along))|flick\w* (?:past|away|on)|go(?:ing)? to"
    r" the next"
    r"|leave\b(?! (?:a|it|this) (?:like|comment|on|running))"
    r"|(?:dislike|dislikes|hate|hates|disliking|avoid) (?:it|this|that|the (?:video|clip|content)"
    r"|what)\b"
    r"|put off\b|bored\b|uninterested\b|not interested\b)"
)
_NOT = r"(?P<not>n't| not| never| hardly)?"
_SENTENCES = re.compile(
    rf"{_SUBJECT}(?:{_MODAL}| wo){_NOT}{_ADVERB}(?P<not2> not| never)? (?:(?P<stay>{STAYS})"
    rf"|(?P<leave>{LEAVES}))"
)
_FRAGMENTS = re.compile(
    r"(?:would|will|i'd|definitely|just|probably|so|and|then|,)?\s*(?P<not>not |wouldn't |won't "
    r"|don't |never )?"
    rf"(?:want to |be )?(?:(?P<stay>{STAYS})|(?P<leave>{LEAVES}))"
)
_ABOUT_WATCHING = re.compile(
    r"(?:\w+ ){0,2}\w+ing (?:\w+ ){0,5}?(?:is|isn't|was|wouldn't be|would be|feels|seems|sounds)\b"
    r"(?! (?:what|how|all) )"
)
"""Watching, or leaving, as the subject of a sentence: "skipping it would be a shame"."""
_URGES = re.compile(
    rf"\bma(?:kes?|de) me (?:\w+ly )?(?:want to |wanna |feel like )?(?P<not>not"
    rf" )?(?:(?P<stay>{STAYS})|(?P<leave>{LEAVES}))"
)
_TASTES = re.compile(
    r"(?P<leave>\b(?:not|isn't|n't)(?: \w+){0,2} (?:my (?:thing|jam|cup of tea|style|type|kind of"
    r" (?:thing|video))"
    r"|for me|interest me|interesting to me|appeal to me)\b(?! (?:to|if)\b))"
    r"|(?P<stay>(?:\b(?:it's|it is|this is|that's) |^)(?:exactly |just |right |very much )?"
    r"(?:my (?:thing|jam|cup of tea|type|kind of (?:thing|video))|up my alley)\b)"
)
_OUTER = re.compile(
    r"(?:(?:n't|\bnot|\bnever) (?:really )?(?:think|believe|feel|suppose|say|see|imagine)(?: that|"
    r" like)?"
    r"|\bno (?:way|reason|chance)(?: that| why| for)?|\bnothing(?: \w+){0,4}|(?<!no )\bdoubt(?:"
    r" that| if)?"
    r"|\bdoubtful(?: that| if)?|\bunlikely(?: that)?|\bhardly|n't| not)$"
)
_BARE = re.compile(
    rf"\b(?:i|{_OTHERS})(?P<verb>'d|'ll| would| will| do| am)(?P<not>n't| not)?(?= ?(?:[.,;:!?]|$))"
    r"|\b(?:i|he|she|they) (?P<short>wouldn't|won't|don't)(?= ?(?:[.,;:!?]|$))"
)
_CLAUSES = re.compile(r"[.,;:!?()…。，、！？；：،؛؟।\n]+|\s[–—-]\s")
_BECAUSE = re.compile(
    r"\b(?:weil|denn|porque|pq|pues|parce que|car|puisque|perché|poiché|omdat|want|aangezien"
    r"|потому|так как"
    r"|поскольку|тому що|бо|ponieważ|bo|eftersom|fordi|koska|protože|pentru că|mert|επειδή|γιατί"
    r"|karena|vì"
    r"|bởi vì|çünkü)\b|(?:^|\s)(?:لأن\w*|क्योंकि|כי|چون)(?=\s)|因为|因為|由於|由于|ので"
    r"|(?<=[いだる])から|때문에|เพราะ"
)
"""What a reason begins with, or ends with: a "not" in it does not deny the verb."""
_WORDS = re.compile(r"[^\s<>/|\\=+*_~#\[\]{}]+")
"""Words of a clause: "no<resto" is two."""
_LONGEST = 12
"""Words of a plain clause."""
_LIKE_ENGLISH = re.compile(
    r"\b(?:the|i|it|this|is|are|because|would|my|of|and|with|not|but|for|that|they|just)\b"
)


def stances(text: str, word: str) -> set[Stance]:
    """Return what a plain text's verbs say, in English and in its answer's language."""
    found: set[Stance] = set()
    clauses = [clause.strip() for clause in _CLAUSES.split(text) if clause.strip()]
    for clause in clauses:
        for pattern in (_SENTENCES, _URGES):
            found |= {_turned(match, clause) for match in pattern.finditer(clause)}
        if not _ABOUT_WATCHING.match(clause):
            found |= {_turned(match, clause) for match in [_FRAGMENTS.match(clause)] if match}
        found |= {"stay" if m["stay"] else "leave" for m in _TASTES.finditer(clause)}
    foreign = [
        x
        for line in text.splitlines()
        if not _LIKE_ENGLISH.search(line)
        for clause in _CLAUSES.split(line)
        for x in _BECAUSE.split(clause)
    ]
    near = languages_of(word)
    for clause in foreign:
        denied = any(each.negation and each.negation.search(clause) for each in near)
        for language in near:
            if is_plain_clause(clause, language, limited=True):
                found |= stems_of(clause, language, denied=denied)
    return found


def is_plain_clause(clause: str, language: Language, *, limited: bool = False) -> bool:
    """Return whether a clause holds nothing but verbs for staying or leaving and filling words.

    "It is boring to watch" holds more, and says not what the writer does. ``limited``: words that
    limit or contrast ("but I would still skip it") are filling words, too.
    """
    fill, limits = language.fill, language.limits if limited else None
    if fill is None:
        return False
    patterns = (language.stay, language.leave, language.negation, limits)
    verbs = [pattern for pattern in patterns if pattern is not None]
    if language.joined:
        for pattern in (*verbs, fill):
            clause = pattern.sub("", clause)
        return not clause.strip()
    spans = [match.span() for pattern in verbs for match in pattern.finditer(clause)]
    words = list(_WORDS.finditer(clause))
    return len(words) <= _LONGEST and all(
        fill.fullmatch(word[0])
        or any(begin < word.end() and word.start() < end for begin, end in spans)
        for word in words
    )


def bare_verbs(text: str) -> set[Literal["yes", "no"]]:
    """Return what "I would." or "I wouldn't." says, whatever was asked."""
    return {"no" if match["short"] or match["not"] else "yes" for match in _BARE.finditer(text)}


def _turned(match: re.Match[str], clause: str) -> Stance:
    groups = match.groupdict()
    denied = bool(groups.get("not")) != bool(groups.get("not2"))
    if _OUTER.search(clause[: match.start()].rstrip()):
        denied = not denied
    return "stay" if (match["stay"] is not None) != denied else "leave"


def stems_of(clause: str, language: Language, *, denied: bool | None = None) -> set[Stance]:
    """Return what a clause's verbs say; ``denied`` where a "not" is known to stand there or not."""
    if language.stay is None or language.leave is None or language.negation is None:
        return set()
    if denied is None:
        denied = language.negation.search(clause) is not None
    stay = language.stay.search(clause) is not None
    leave = language.leave.search(clause) is not None
    found: set[Stance] = set()
    if stay:
        found.add("leave" if denied else "stay")
    if leave:
        found.add("stay" if denied else "leave")
    return found


OwnQuestion = Literal["stay", "leave", "unclear"]

_OPEN = re.compile(
    r"\W*(?:(?:and|so|but|or|well|then|hmm+|oh|ok|okay|because)\b\W*)*"
    r"(?:(?:why|who|whom|whose|how|what|when|where|which|warum|wieso|wer|wie|por qu[eé]|quién|cómo"
    r"|pourquoi|comment|perché|quem|waarom|почему|зачем|кто|чому|хто|dlaczego|kto|neden|niye|mengapa"
    r"|kenapa|tại sao)\b|.*(?:为什么|為什麼|谁会|怎么|なぜ|どうして|誰が|왜|누가|لماذا|क्यों|कौन))"
)
_PLAIN = re.compile(
    r"\W*(?:(?:question|so|ok|okay|well|hmm+|now|me)\b\W*)*"
    r"(?:(?:(?:would|will|do|should|can|could|am|shall) )?(?:i|you|this person"
    r"|the persona)\b(?:'d|'ll)?"
    r"|would|will|want|should|decision|going)?"
    r"(?: ?(?:really|actually|just|still|now|want|wants|to|would|will|like to|be|going))*"
    rf" ?(?:not )?(?:{STAYS}|{LEAVES}|watch\b)(?: (?:it|this|that|the|on|away|past|along|over|and"
    rf"|watch|video"
    r"|clip|reel|short|one|until|till|to|end|or not|please|content|more|further|now))*\W*"
)
_STAYS, _LEAVES = (
    re.compile(rf"\b(?:{STAYS}|watch\b)"),
    re.compile(rf"\b(?:{LEAVES}|put \w+ off\b)"),
)
_DENIED = re.compile(r"\bnot\b")
_UNCLEAR = re.compile(r"n't\b|\b(?:never|normally|usually|ever|sometimes|or (?!not\b))\b")
_LABEL = re.compile(r"(?P<label>[^:=?.!\n]{2,48}?)\s*\??\s*[:=]+\s*(?P<rest>\S.*)")
_SHORT = 3
"""Words of a question in another language than English that is plain enough to be turned round."""


def asks(question: str, word: str | None) -> OwnQuestion | None:
    """Return what a question in lower case is about: staying, leaving, neither (``None``), or
    unclear.

    ``word`` is the word for an answer that follows it, which tells its language, if one does.
    """
    question = question.strip(" ?؟¿")
    if _OPEN.match(question):
        return None
    found = _stance(question)
    if found is None:
        return _foreign(question, word)
    return found


def is_plain(question: str) -> bool:
    """Tell whether a question asks the writer about staying or leaving, and no more."""
    return _PLAIN.fullmatch(question) is not None or len(question.split()) <= _SHORT


def split_label(line: str) -> tuple[str, str] | None:
    """Split "Keep watching: yes" into its label and its value; ``None`` where there is no label."""
    match = _LABEL.fullmatch(line)
    return None if match is None else (match["label"].strip(), match["rest"].strip())


def labels_stance(label: str, word: str | None) -> bool:
    if _PLAIN.fullmatch(label):
        return _stance(label) in ("stay", "leave")
    return len(label.split()) <= _SHORT and _foreign(label, word) in ("stay", "leave")


def _stance(text: str) -> OwnQuestion | None:
    stays = _STAYS.search(text) is not None
    leaves = _LEAVES.search(_STAYS.sub(" ", text)) is not None
    if not stays and not leaves:
        return None
    if (stays and leaves) or _UNCLEAR.search(text):
        return "unclear"
    return "stay" if stays != (_DENIED.search(text) is not None) else "leave"


def _foreign(text: str, word: str | None) -> OwnQuestion | None:
    found: set[Stance] = set()
    for language in languages_of(word) if word else ():
        found |= stems_of(text, language)
    if len(found) > 1:
        return "unclear"
    return next(iter(found), None)
