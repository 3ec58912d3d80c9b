"""Lines of ledgers and answers as a stranger may have them: what figures need, and no text.

A list of what stays, field by field: whatever is not on it is left out, so that a new field of a
ledger is not published before somebody has put it here. Creators and videos become pseudonyms that
keep who is who; accounts become pseudonyms that keep the slot of the draw.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from store.bundle.errors import BadBundle
from store.dataset.pseudonyms import Pseudonyms
from store.jsonl.append_only import committed, divide
from store.jsonl.hash_chain import GONE, ChainWalk, body_of, looks_sealed, rewrite_line
from store.runs.ledger_lines import PersonaRecord, RunStarted, Windows
from store.runs.run_provenance import Provenance

Line = dict[str, Any]
_SLOT = re.compile(r"slot\d{3}-[a-z]+-r\d+")
"""What the draw of a study calls an account."""
_MESSAGE = b'"message":'
_DAY = len("2025-03-01")
_NONE = "left-out"
"""Stands in fields of runs that the study is not about."""
ACCOUNT = re.compile(rf"account-[0-9a-f]{{12}}(-{_SLOT.pattern})?")
"""What stands for an account."""


def _fields(words: str) -> frozenset[str]:
    return frozenset(words.split())


VIDEO = _fields(
    "id author duration_s ad live photos ai_label paid_partnership ad_authorised batch "
    "batch_requested_at"
)
FRAME = _fields("sha256 width height time_s phash quality retakes")
JUDGEMENT = _fields("answer missing p_yes score isq served attempts latency_s usage")
CONFIG = _fields(
    "platform strategy model revision settings arm windows seed driver like photos max_excluded "
    "max_missing explain order of yoke study cell replicate block dwell frames pace site viewport "
    "locale adapter"
)
DETAILS = _fields("since capability field")
_SEEN = _fields("kind position at phase video frames excluded repeat judgement")
KINDS: Mapping[str, frozenset[str]] = {
    "run_started": _fields(
        "kind schema run_id at persona platform strategy model fingerprint arm account windows "
        "seed config prompts encoder driver browser viewport locale signed_in provenance"
    ),
    "run_resumed": _fields("kind at position code_version browser plug_ins"),
    "feed_batch": _fields("kind number requested_at position page"),
    "step_opened": _SEEN | _fields("intention exposure_s"),
    "step": _SEEN | _fields("reaction move timings_ms"),
    "fault": _fields("kind at position fault recovered details"),
    "site_check": _fields(
        "kind at position compared furthest_s dwells likes unrecorded unreported lost_after "
        "site_count miscounted"
    ),
    "forgotten": _fields("kind at position positions edited asked before"),
    "run_finished": _fields("kind at steps eligible reason left_on_s"),
    "judge": _fields(
        "kind schema run_id model strategy prompts fingerprint settings explain order seed at "
        "code_version personas others plug_ins sample"
    ),
    "asked": _fields("kind persona traits position frame mirrored repeat paraphrase judgement"),
}
"""What stays of each kind of line; a kind that is not here is refused."""
_EMPTY: Mapping[str, Line] = {
    "run_started": {"config_hash": ""},
    "fault": {"message": ""},
}
"""Fields that a line must have, and that are left out."""


class PublicLines:
    """Makes lines public, all of one data folder by the same pseudonyms."""

    def __init__(self, names: Pseudonyms) -> None:
        self._names = names

    def of_file(self, place: str, content: bytes) -> Iterator[bytes]:
        """Give the lines of a ledger, or of answers, one by one, each with its newline.

        A line keeps its place in the hash chain: its seal tells the digest of the kept line, whose
        salt is left out, so that who has that line can prove it and nobody can guess it. Raises
        ``BadBundle`` for a line of a kind that is not known, or that has changed.
        """
        lines, _ = divide(content)
        sealed = bool(lines) and all(map(looks_sealed, lines))  # an older file has no whole chain
        walk, platform, on = ChainWalk(), "", ""
        for number, raw in enumerate(lines, 1):
            body, fault = walk.take(raw)
            if fault is not None:
                raise BadBundle.file(place, f"line {number}: {fault.removesuffix('.')}")
            if body == GONE:
                yield raw + b"\n"
                continue
            line = json.loads(body)
            platform, on = line.get("platform", platform), on or str(line.get("at"))[:_DAY]
            kind = line.get("kind")
            if kind not in KINDS:
                raise BadBundle.file(place, f"its line {number} is of no known kind")
            public = encode(self._public(line, kind, platform))
            yield (rewrite_line(raw, public, on) if sealed else public) + b"\n"

    def head(self, first: RunStarted) -> bytes:
        """Return the only line of a run of others: that an account had been used by then."""
        line = json.loads(encode_head(first))
        return encode(self._public(line, "run_started", first.platform)) + b"\n"

    def account(self, platform: str, name: str) -> str:
        slot = _SLOT.search(name)
        return f"{self._names.account(platform, name)}{f'-{slot[0]}' if slot else ''}"

    def _public(self, line: Line, kind: str, platform: str) -> Line:
        public = {name: value for name, value in line.items() if name in KINDS[kind]}
        if "video" in public:
            public["video"] = self._video(public["video"], platform)
            public["frames"] = [_keep(frame, FRAME) for frame in public["frames"]]
        if "judgement" in public:
            public["judgement"] = _keep(public["judgement"], JUDGEMENT)
        if kind == "run_started":
            public["account"] = self.account(platform, public["account"])
            public["config"] = _public_config(public["config"])
        if kind == "fault":
            public["details"] = _keep(public.get("details") or {}, DETAILS)
        return public | _EMPTY.get(kind, {})

    def _video(self, video: Line, platform: str) -> Line:
        public = _keep(video, VIDEO)
        public["id"] = self._names.video(platform, video["id"])
        author = video.get("author")
        public["author"] = author and self._names.creator(author)
        return public


def bare_head(first: RunStarted, name: str) -> RunStarted:
    """Return the start of a run of others under another name: its account, its site and its time.

    All else is the same for every run, and tells nothing of what it was for.
    """
    nobody = PersonaRecord(id=_NONE, traits=(), source=_NONE, licence=_NONE)
    return RunStarted(
        run_id=name,
        at=first.at,
        persona=nobody,
        platform=first.platform,
        strategy=_NONE,
        model=_NONE,
        account=first.account,
        windows=Windows(before=1, adapt=0, after=1),
        seed=0,
        config={},
        config_hash="",
        prompts={},
        encoder=None,
        driver=_NONE,
        browser=_NONE,
        viewport=(0, 0),
        locale=_NONE,
        provenance=Provenance(
            code_version=_NONE, code_dirty=None, python=_NONE, system=_NONE, libraries={}
        ),
    )


def encode_head(first: RunStarted) -> bytes:
    return first.model_dump_json(by_alias=True).encode() + b"\n"


def hide_paths(content: bytes, paths: re.Pattern[str]) -> bytes:
    """Return lines as they were kept, but for folders of a machine in messages of faults."""
    found = re.compile(rf"({paths.pattern})[^\s'\"]*")
    return b"\n".join(_hide_path(raw, found) for raw in content.split(b"\n"))


def _hide_path(raw: bytes, paths: re.Pattern[str]) -> bytes:
    if _MESSAGE not in raw:
        return raw
    try:
        line = json.loads(body_of(raw))
        hidden = paths.sub("(path)", line["message"])
        if line["kind"] != "fault" or hidden == line["message"]:
            return raw
        body = encode(line | {"message": hidden})
        return rewrite_line(raw, body, line["at"][:_DAY]) if looks_sealed(raw) else body
    except (ValueError, KeyError, TypeError):  # no such line, or a damaged one, which stays so
        return raw


def _public_config(config: Line) -> Line:
    public = _keep(config, CONFIG)
    if public.get("site"):  # a catalogue is a path of this machine
        public["site"] = {name: v for name, v in public["site"].items() if name != "catalogue"}
    return public


def _keep(fields: Line, names: frozenset[str]) -> Line:
    return {name: value for name, value in fields.items() if name in names}


def encode(line: Line) -> bytes:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()


def public_canary(content: bytes, wanted: Callable[[Line], bool]) -> Iterator[bytes]:
    """Give the lines of a canary log that concern these runs, without reasons in words."""
    lines, _ = committed(content)
    for raw in lines:
        try:
            line = json.loads(raw)
        except ValueError:
            continue
        if isinstance(line, dict) and wanted(line):
            yield encode({n: value for n, value in line.items() if n != "reasons"}) + b"\n"
