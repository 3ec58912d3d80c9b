"""Takes secrets out of texts before anybody is shown them.

What comes from a service or a command line may carry a key or a proxy's password. Known secrets
go wherever they stand; others by how they are written.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

HIDDEN = "•••"
_SHORTEST = 8
"""A shorter value is no secret, and would blot out ordinary words."""
_NAMES = re.compile(
    r"(KEY|TOKEN|SECRET|PASSW(OR)?D|PASSPHRASE|CREDENTIALS?|WEBHOOK(_URL)?)(_|$)", re.IGNORECASE
)
_USERINFO = re.compile(r"(?<=://)[^/\s@\"']+@")
_NAMED = re.compile(
    r"(?i)([\"']?(?:[\w-]*(?:api[_-]?key|token|secret|passw(?:or)?d|credential)[\w-]*|authorization|"
    r"x-api-key)[\"']?\s*[:=]\s*[\"']?)((?:bearer|basic)\s+)?[^\s\"',;&)}\]]+"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_KEYS = re.compile(
    r"\b(?:(?:sk|pk|rk|xox[abp]|gh[pousr]|hf|glpat)[-_]|AIza|ya29\.)[A-Za-z0-9][A-Za-z0-9_.-]{14,}"
)


class SecretRedactor:
    """Takes known secrets, and what is written like one, out of texts."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        longest_first = sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        text = _USERINFO.sub(f"{HIDDEN}@", text)
        text = _NAMED.sub(rf"\1{HIDDEN}", text)
        text = _BEARER.sub(rf"\1 {HIDDEN}", text)
        return _KEYS.sub(HIDDEN, text)

    def everywhere(self, value: Any, names: Collection[str] = ()) -> Any:
        """Return plain data without secrets; fields of these names are left as they are."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                key: item if key in names else self.everywhere(item, names)
                for key, item in value.items()
            }
        if isinstance(value, tuple | list):
            return type(value)(self.everywhere(item, names) for item in value)
        return value


def secrets_of(environment: Mapping[str, str]) -> set[str]:
    """Return the values of an environment whose names say that they are secret."""
    return {value for name, value in environment.items() if _NAMES.search(name)}
