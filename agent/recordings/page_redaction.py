"""What of a page may be written: its elements with their places, redacted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from agent.recordings.recording_file import (
    MOST_PIXELS,
    MOST_SECONDS,
    PageNode,
    PlayerState,
)
from agent.recordings.session_redaction import Redaction

LONGEST_TEXT = 5_000
LONGEST_TAG = 61
_UNUSUAL = re.compile(r"[^a-z0-9_-]")


class PageRedaction:
    """Turns raw nodes into written ones; knows again what a player played before."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._sources: dict[str, int] = {}

    def nodes(self, raw: Iterable[Mapping[str, Any]]) -> tuple[PageNode, ...]:
        return tuple(map(self._node, raw))

    def _node(self, raw: Mapping[str, Any]) -> PageNode:
        place = {"n": raw["n"], "p": raw["p"], "shadow": raw["shadow"]}
        if "tag" not in raw:
            return PageNode(
                **place, text=self._redaction.label(raw["text"][:LONGEST_TEXT], whole=False)
            )
        attributes = self._redaction.attributes(
            {name: value[:LONGEST_TEXT] for name, value in raw["attributes"].items()}
        )
        if raw["tag"] != "iframe":  # nothing of a picture or a clip is kept, nor where it was
            attributes.pop("src", None)
        return PageNode(
            **place,
            tag=self._tag(raw["tag"]),
            attributes=attributes,
            box=tuple(min(MOST_PIXELS, max(-MOST_PIXELS, float(one))) for one in raw["box"]),
            unseen=raw["unseen"],
            video=self._player(raw["video"]),
            picture=raw["picture"],
            next_button=raw["next_button"],
        )

    def _tag(self, name: str) -> str:
        usual = _UNUSUAL.sub("-", self._redaction.tag(name).lower())
        return (usual if usual[:1].isalpha() else f"x{usual}")[:LONGEST_TAG]

    def _player(self, raw: Mapping[str, Any] | None) -> PlayerState | None:
        if raw is None:
            return None
        source = raw["source"]
        number = None if not source else self._sources.setdefault(source, len(self._sources))
        length = raw["duration_s"]
        if length is not None and not 0 < length <= MOST_SECONDS:
            length = None  # some players of live cards tell 2**32 s
        return PlayerState(source=number, duration_s=length, playing=bool(raw["playing"]))
