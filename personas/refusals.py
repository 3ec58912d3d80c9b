"""How a refusal sounds.

Models that decline still tend to begin with "No", and a refusal that is counted as a no is a
wrong number. The phrases are narrow on purpose: a persona that "can't help smiling" or "can't
pretend to like it" is answering. Refuses to know what was asked.
"""

from __future__ import annotations

import re

_PICTURE = r"(?:image|picture|photo|video|frame|screenshot|clip)s?"
_CANNOT = (
    r"\bI(?: \w+ly)?(?: can(?:not|'t| not)| could(?:n't| not)| won't| will not"
    r"|(?: am|'m) (?:unable|not able|not allowed) to|(?: am|'m) not comfortable)(?: \w+ly)? "
)
_REFUSALS = re.compile(
    "|".join(
        (
            _CANNOT + r"(?:assist|comply|answer|respond|role-?play|pretend to be|fulfil+"
            r"|help (?:you|with|out)\b|(?:help|do that)(?=[.,;!]|$)"
            r"|take on (?:\w+ ){0,2}(?:role|persona|identity|character)"
            r"|(?:provide|give|offer|form|make|express) (?:\w+ ){0,2}"
            r"(?:answer|opinion|preference|judge?ment|response))",
            _CANNOT + rf"(?:view|access|open|load|analy[sz]e|process|interpret)(?: \w+){{0,2}} "
            rf"{_PICTURE}\b",
            _CANNOT + rf"(?:see|watch) (?:(?:the|an?|any|your|actual) ){{1,2}}{_PICTURE}\b"
            r"(?! \w+ing\b)",
            _CANNOT + r"(?:see|watch) (?:images|pictures|videos)\b",
            rf"\bunable to (?:see|view|access|open|load|process)(?: \w+){{0,2}} {_PICTURE}\b",
            rf"\bI (?:do not|don't) see (?:an|any) {_PICTURE}\b",
            rf"\bno {_PICTURE} (?:\w+ ){{0,2}}(?:provided|attached|visible|shared|included)\b",
            rf"\b{_PICTURE} (?:(?:is|was|were|could)(?:n't| not)|can(?:not|'t| not)) (?:be )?"
            r"(?:provided|attached|available|loaded|displayed|opened)\b",
            r"\bI (?:do not|don't) (?:\w+ly )?(?:have|hold|form) (?:any )?personal "
            r"(?:preferences?|opinions?|feelings?|tastes?|likes|views|experiences?|beliefs?)\b",
            r"\bas an? (?:AI|artificial intelligence|(?:\w+ ){0,2}language model)\b[^.!?]{0,200}?"
            r"\b(?:cannot|can't|can not|don't|do not|lack|unable|not able)\b",
            r"\bI (?:must|have to|need to|will have to) (?:\w+ly )?(?:decline|refuse)\b",
            r"\bI(?:'d| would)? (?:rather not|prefer not to|decline to|refuse to) "
            r"(?:answer|say|respond|comment|judge)\b",
            r"\bagainst (?:my|the|our|\w+'s) (?:\w+ )?(?:guidelines|polic(?:y|ies)|programming)\b",
        )
    ),
    re.IGNORECASE,
)


def refuses(text: str) -> bool:
    """Tell whether the writer declines to answer, or says that nothing could be seen."""
    return _REFUSALS.search(" ".join(text.replace("’", "'").split())) is not None
