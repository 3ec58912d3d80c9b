"""How a refusal sounds: the writer denies being able to answer, or to see.

Models that decline still tend to begin with "No", and a refusal that is counted as a no is a
wrong number. But most sentences with "won't" and "can't" are answers: a persona that "won't watch
the video", "can't pretend to like cars" or "isn't comfortable with violence" says no. So the
phrases name what is denied: an answer, an opinion, the sight of a picture, a person's nature.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

_FILE = Path(__file__).parent / "data" / "words" / "refusals.toml"
_PICTURE = r"(?:image|picture|photo|video|frame|screenshot|clip)s?"
_STILL = r"(?:image|picture|photo|screenshot|frame|attachment)s?"
_CANNOT = (
    r"\bi(?: \w+ly)? ?(?:can(?:not|'t| not)|could(?:n't| not)|won't|will not|'ll not"
    r"|(?:am|'m)(?: currently| afraid i'm)? (?:unable|not able|not allowed|not permitted) to"
    r"|(?:do not|don't) have the (?:ability|capability|capacity) to"
    r"|(?:won't|will not) be able to|lack the ability to|refuse to|decline to)(?: \w+ly)? "
)
_ENDS = (
    r"(?=\W*$|[.,;:!?()]| (?:you|that you|attached|provided|shared|directly|itself|here|at all|in"
    r"|because|since|so|or|and|from|right now|clearly|properly|but|yet|yourself)\b)"
)
_DENIALS = (
    _CANNOT + r"(?:assist|comply|respond|role-?play|fulfil+|participate)\b",
    _CANNOT + r"(?:help(?! it\b)|do (?:that|this|so)|answer|comment|judge|engage)"
    r"(?: (?:you|with|out|on|in|to|this|that|it|the|your|question|request|content|any|such"
    r"|kind|of|task|such)\b)*(?=\W*$|[.,;:!?]| (?:because|since|as|identifying|or"
    r"|about)\b)",
    _CANNOT + r"help (?:you |with )?(?:with )?(?:identifying|making|rating|judging)\b",
    _CANNOT + r"(?:identify|recogni[sz]e) (?:real )?(?:people|persons|individuals|faces|anyone)\b",
    _CANNOT + r"(?:rate|judge|evaluate|score|assess) (?:images|pictures|videos|people|content"
    r"|this image|the image|this picture)\b",
    _CANNOT + r"(?:pretend to be|act as) (?:an? |this |another |someone|somebody|human)",
    _CANNOT + r"take on (?:\w+ ){0,2}(?:role|persona|identity|character)\b",
    _CANNOT + r"(?:provide|give|offer|form|make|express|share|have|say) (?:\w+ ){0,2}"
    r"(?:answer|opinion|preference|judge?ment|response|rating)s?\b",
    _CANNOT + r"say (?:whether|if) i\b",
    _CANNOT + rf"(?:view|access|open|load|analy[sz]e|process|interpret|see|display)"
    rf"(?: (?:the|this|an?|any|your|actual|that|attached|or|watch|see|view"
    rf"|provided)){{0,4}}"
    rf" {_PICTURE}{_ENDS}",
    _CANNOT + r"(?:watch|see) (?:\w+ (?:and|or) )?(?:images|pictures|videos)"
    r"(?=\W*$|[.,;:!?]| (?:directly|or)\b)",
    _CANNOT + r"(?:actually |directly )?(?:perceive|view|see) (?:visual|images?)\b",
    rf"\bunable to (?:see|view|access|open|load|process)(?: \w+){{0,2}} {_PICTURE}\b",
    rf"\bi (?:do not|don't|did not|didn't) (?:see|find|receive|have) (?:an|any|the)"
    rf" {_PICTURE}"
    r"(?=\W*$|[.,;:!?]| (?:attached|here|in (?:your|the|this)|provided|shared|uploaded"
    r"|to)\b)",
    rf"\bno {_PICTURE} (?:\w+ ){{0,2}}(?:provided|attached|visible|shared|included"
    rf"|uploaded)\b",
    rf"\b{_PICTURE} (?:(?:is|was|were|could)(?:n't| not)|can(?:not|'t| not)) (?:be )?"
    r"(?:provided|attached|available|loaded|displayed|opened|included)\b",
    rf"\bthere (?:is|'s|isn't|is not|was|wasn't|was not|are|aren't) (?:no|any|an?) {_STILL}"
    r"(?=\W*$|[.,;:!?]| (?:here|attached|in (?:your|the|this)|to (?:see|look|judge|view)|for me"
    r"|provided"
    r"|shared|with your)\b)",
    rf"\b(?:did not|didn't|do not|don't|can't|cannot) (?:\w+ly )?(?:get|receive|see|have) (?:an?"
    rf"|any|the|your)"
    rf" {_STILL}(?=\W*$|[.,;:!?]| (?:attached|here|yet|in|to|from|on)\b)",
    rf"\byou (?:have not|haven't|did not|didn't|forgot to) (?:\w+ )?(?:attach|upload|shar|provid"
    rf"|includ|send|sent"
    rf"|past)\w*[^.!?]{{0,20}}\b{_STILL}\b",
    rf"\b(?:please|could you|can you|would you|kindly|if you|once you"
    rf"|when you)(?: \w+)? (?:upload|attach|re-?send"
    rf"|re-?upload|share|send|provide|paste|post|drop)(?: (?:me|it|us|here|the|an?|your|that"
    rf"|actual|again"
    rf"|missing|video|original))* {_STILL}\b",
    r"\b(?:please|could you|can you|kindly) (?:upload|attach|re-?send|provide) (?:me )?(?:the|an?"
    r"|your)"
    r" (?:video|clip|file|link)\b",
    r"\b(?:i )?(?:need|waiting for|would have|would need|'d have|'d need) to (?:\w+ )?see (?:the"
    r"|an?|your)"
    rf" (?:\w+ )?{_STILL} (?:first|before|to answer|to tell)\b",
    r"\bi (?:do not|don't) (?:\w+ly )?(?:have|hold|form|possess|experience) (?:any )?"
    r"(?:personal|subjective|human) (?:\w+,? ){0,2}?"
    r"(?:preferences?|opinions?|feelings?|tastes?|likes|views|experiences?|beliefs?"
    r"|emotions?"
    r"|reactions?)\b(?! (?:for|with|of|in|towards?|against)\b)",
    r"\bi (?:do not|don't) have (?:preferences|opinions|feelings|tastes)(?=\W*$|[.,;:!?]|"
    r" or\b)",
    r"\b(?:as|being|since i am|since i'm|because i am|because i'm|i am|i'm)(?: just|"
    r" only)? an? "
    r"(?:ai|artificial intelligence|(?:\w+ ){0,2}language model|computer program|machine)"
    r"(?: (?:language|vision|visual|multimodal|assistant|model|system|chatbot|program))*"
    r"(?:[,;:.!]|$| (?:i|and|so|that|without|with no|it|my|which)\b)",
    r"\bi (?:must|have to|need to|will have to) (?:\w+ly )?(?:decline|refuse)(?! to"
    r" watch)\b",
    r"\bi(?:'d| would)? (?:rather not|prefer not to) "
    r"(?:answer|say|respond|comment)\b",
    r"\b(?:i am|i'm) not comfortable (?:answering|responding|commenting|giving|providing"
    r"|sharing|judging|rating|role-?playing|with (?:this|that) (?:request|question"
    r"|task))\b",
    r"\b(?:goes |is |it's |that's )?against (?:my|the|our|\w+'s) (?:\w+ )?"
    r"(?:guidelines|polic(?:y|ies)|programming)\b",
)
"""Ways to decline, whatever else is said."""
_APOLOGIES = (
    _CANNOT + r"(?:help(?! it\b)|answer|engage|continue|discuss|provide|do|watch|see|view)\b",
    r"\b(?:i'm|i am) (?:sorry|afraid)\b[^.!?]{0,80}\b(?:can't|cannot|can not|unable|not"
    r" able)\b",
    r"\bas an? (?:ai|artificial intelligence|(?:\w+ ){0,2}language model)\b[^.!?]{0,200}?"
    r"\b(?:cannot|can't|can not|don't|do not|lack|unable|not able)\b",
    r"\b(?:unable|not able) to (?:answer|help|assist|see|view|provide|determine)\b",
)
"""Ways to decline that an answer may sound like, too."""


def denies(text: str) -> bool:
    return _denials().search(_flat(text)) is not None


def refuses(text: str) -> bool:
    flat = _flat(text)
    return _denials().search(flat) is not None or _apologies().search(flat) is not None


@cache
def _denials() -> re.Pattern[str]:
    """The phrases of every language as one; so many take a moment to compile."""
    told: dict[str, list[str]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    others = (phrase for phrases in told.values() for phrase in phrases)
    return re.compile("|".join((*_DENIALS, *others)))


@cache
def _apologies() -> re.Pattern[str]:
    return re.compile("|".join(_APOLOGIES))


def _flat(text: str) -> str:
    return " ".join(text.replace("’", "'").replace("*", "").split()).lower()
