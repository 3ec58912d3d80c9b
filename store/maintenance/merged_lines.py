"""Files of lines of several data folders, united: answers by their key, payments by their id.

What is there stays as it stands, and what the other file has beyond it comes after it. So a file is
united with a copy of itself as often as one likes, and nothing in it changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from store.jsonl.answer_file import UNANSWERED, parse_lines
from store.jsonl.append_only import committed
from store.privacy.redaction import STAND_IN, silenced
from store.runs.canary_log import CanaryRecord
from store.runs.payment_book import CallReserved, CallSettled, CarriedOver
from store.runs.rejudgements import RejudgedAnswer, RejudgementHeader

_ROUNDING_USD = 1e-9
"""What two sums of the same dollars may differ by."""


@dataclass(frozen=True)
class FileLine:
    """One line without its seal, and what it is."""

    raw: bytes
    record: Any

    @property
    def key(self) -> Hashable:
        """Of an answer or an attempt; ``None`` of a header."""
        return getattr(self.record, "key", None)

    @property
    def answered(self) -> bool:
        return self.key is not None and self.record.missing not in UNANSWERED

    @property
    def frame(self) -> str | None:
        """The picture that it is about."""
        source = getattr(self.record, "source", self.record)
        return getattr(source, "frame", None)


def read_file_lines(path: Path, content: bytes, kind: TypeAdapter[Any]) -> list[FileLine]:
    """Read the committed lines of a file; raises ``DamagedLedger``, with the line."""
    return [FileLine(raw, record) for raw, record in parse_lines(path, content, kind)]


@dataclass(frozen=True)
class UnitedLines:
    """What a file holds afterwards, and how many answers there were on both sides, unlike."""

    lines: tuple[bytes, ...]
    added: int
    """Lines that were not there."""
    unlike: int = 0
    heads: int = 0
    """Of the lines added, those that are headers of sittings."""


def unite_answers(mine: Sequence[FileLine], theirs: Iterable[FileLine]) -> UnitedLines:
    """Unite answers: a question that both have answered, in other words, keeps mine.

    A header comes with the first new answers of its sitting. An attempt never stands after the
    answer to its question, so that the file reads as if one machine had written it.
    """
    known = Counter(line.raw for line in mine)
    answered = {line.key for line in mine if line.answered}
    united, head, unlike = list(mine), None, 0
    for line in theirs:
        if known[line.raw]:
            known[line.raw] -= 1
            head = None if line.key is None else head
        elif line.key is None:
            head = line
        elif line.answered and line.key in answered:
            unlike += 1
        else:
            united += [line] if head is None else [head, line]
            head = None
            answered |= {line.key} if line.answered else set()
    lines = tuple(line.raw for line in _attempts_first(united))
    heads = sum(line.key is None for line in united[len(mine) :])
    return UnitedLines(lines, len(united) - len(mine), unlike, heads)


def _attempts_first(lines: Sequence[FileLine]) -> list[FileLine]:
    """Put attempts that stand after their question's answer right before it."""
    answered: set[Hashable] = set()
    late: dict[Hashable, list[FileLine]] = {}
    for line in lines:
        if line.answered:
            answered.add(line.key)
        elif line.key in answered:
            late.setdefault(line.key, []).append(line)
    moved = {id(line) for each in late.values() for line in each}
    ordered: list[FileLine] = []
    for line in lines:
        if id(line) not in moved:
            ordered += late.get(line.key, []) if line.answered else []
            ordered.append(line)
    return ordered


def tells_otherwise(mine: Sequence[FileLine], theirs: Sequence[FileLine]) -> bool:
    """Whether two files of re-judgements are of unlike judges, draws or sittings."""
    heads = [
        next((one.record for one in lines if one.key is None), None) for lines in (mine, theirs)
    ]
    first, second = heads
    if not isinstance(first, RejudgementHeader) or not isinstance(second, RejudgementHeader):
        return type(first) is not type(second)
    same = first.same(second) and first.drawn_as(second)
    return not same or first.personas != second.personas


def hide_forgotten(
    lines: Sequence[FileLine],
    known: Collection[FileLine],
    hidden: Collection[int],
    emptied: Collection[int],
) -> list[FileLine]:
    """Silence what is said of steps that another copy of the run has forgotten.

    The answer stays, without words and without the picture's hash; one that the other copy has
    already, or that no reply came to, goes.
    """
    stands = {line.key for line in known} | {_place(line) for line in known}
    kept: list[FileLine] = []
    for line in lines:
        asked = line.record
        if not isinstance(asked, RejudgedAnswer) or asked.position not in hidden:
            kept.append(line)
            continue
        place = _place(line) if asked.position in emptied else line.key
        if place in stands or not line.answered:
            continue
        frame = asked.frame if asked.position not in emptied else f"{STAND_IN}{asked.position}"
        kept.append(silent(line, asked.model_copy(update={"frame": frame})))
    return kept


def silent(line: FileLine, asked: RejudgedAnswer) -> FileLine:
    """Return the line of an answer without its words."""
    told = asked.model_copy(update={"judgement": silenced(asked.judgement)})
    return replace(line, raw=told.model_dump_json(by_alias=True).encode(), record=told)


def _place(line: FileLine) -> Hashable:
    """The key of an answer without its picture, of which a forgotten step names none."""
    return (
        line.record.key._replace(frame="") if isinstance(line.record, RejudgedAnswer) else line.key
    )


def unite_payments(mine: Sequence[FileLine], theirs: Sequence[FileLine]) -> UnitedLines:
    """Unite two books: each call once, by its id, and what was carried over once an account.

    Of what was spent before there was a book, the larger sum of an account stands.
    """
    known = {line.raw for line in mine}
    reserved = {line.record.id for line in mine if isinstance(line.record, CallReserved)}
    settled = {line.record.id for line in mine if isinstance(line.record, CallSettled)}
    new: list[bytes] = []
    unlike = 0
    for line in theirs:
        record = line.record
        if line.raw in known or isinstance(record, CarriedOver):
            continue
        if isinstance(record, CallReserved | CallSettled):
            seen = reserved if isinstance(record, CallReserved) else settled
            unheard = isinstance(record, CallSettled) and record.id not in reserved
            if record.id in seen or unheard:
                unlike += 1
                continue
            seen.add(record.id)
        new.append(line.raw)
    new += _carried_beyond(mine, theirs)
    return UnitedLines((*(line.raw for line in mine), *new), len(new), unlike)


def _carried_beyond(mine: Iterable[FileLine], theirs: Iterable[FileLine]) -> list[bytes]:
    """What the other book carried over for an account beyond what this one did, as lines."""
    here, there = _carried(mine), _carried(theirs)
    lines = []
    for account, (record, spent) in there.items():
        _, before = here.get(account, (record, (0, 0.0, 0)))
        calls, cost, tokens = (max(b - a, 0) for a, b in zip(before, spent, strict=True))
        if calls or tokens or cost > _ROUNDING_USD:
            more = {"calls": calls, "cost_usd": cost, "tokens": tokens}
            lines.append(record.model_copy(update=more).model_dump_json().encode())
    return lines


def _carried(lines: Iterable[FileLine]) -> dict[str, tuple[CarriedOver, tuple[int, float, int]]]:
    """Calls, dollars and tokens that a book carried over, by account, with the first line."""
    found: dict[str, tuple[CarriedOver, tuple[int, float, int]]] = {}
    for line in lines:
        if isinstance(one := line.record, CarriedOver):
            first, (calls, cost, tokens) = found.get(one.account, (one, (0, 0.0, 0)))
            found[one.account] = (
                first,
                (
                    calls + one.calls,
                    cost + one.cost_usd,
                    tokens + one.tokens,
                ),
            )
    return found


def unite_canary(path: Path, mine: bytes, theirs: bytes) -> UnitedLines:
    """Unite two logs of results of a site, by time; a line that cannot be read stays or is left.

    Raises ``DamagedLedger`` where the other log cannot be read.
    """
    kind = TypeAdapter(CanaryRecord)
    own = committed(mine)[0]
    new = [line for line in read_file_lines(path, theirs, kind) if line.raw not in own]
    dated: list[tuple[float, bytes]] = []
    for raw in own:
        try:
            at = kind.validate_json(raw).at.timestamp()
        except ValidationError:
            at = dated[-1][0] if dated else 0.0
        dated.append((at, raw))
    dated += [(line.record.at.timestamp(), line.raw) for line in new]
    return UnitedLines(tuple(raw for _, raw in sorted(dated)), len(new))
