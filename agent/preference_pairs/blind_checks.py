"""What an edit makes of an accepted text, and what a checker says of the pair, blind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from agent.evaluation import pair_prompts as prompts
from agent.judge.judge import sum_known
from agent.preference_pairs.edit_distance import cleaned, compare
from personas.strategies import Prompt
from store.results.preference_pairs import AcceptedText, ErrorKind, PreferencePair, Reason
from store.runs.ledger_lines import Judgement, Usage

_NOTES: dict[str, tuple[bool, Reason]] = {
    "on_target": (True, "off_target"),
    "rejected_holds": (False, "not_contradicted"),
    "accepted_holds": (True, "accepted_denied"),
}
"""What a checker is asked: the answer that is wanted, and what another one means."""


def pair_of_edit(accepted: AcceptedText, error: ErrorKind, said: Judgement) -> PreferencePair:
    """Make the pair of an editor's reply, held to what can be told from the texts alone."""
    text = cleaned(said.reply)
    common: dict[str, Any] = {
        "source": accepted.source,
        "error": error,
        "persona": accepted.persona,
        "accepted": accepted.accepted,
    }
    if said.missing:
        return PreferencePair(rejected="", reason="unanswered", missing=said.missing, **common)
    if text.strip(".") == "NONE":
        return PreferencePair(rejected="", reason="nothing_to_change", **common)
    edit = compare(accepted.accepted, text, error)
    return PreferencePair(
        rejected=text,
        statements=edit.statements,
        swapped=edit.swapped,
        checks=edit.checks,
        reason=edit.reason,
        **common,
    )


def check_prompts(pair: PreferencePair, traits: Sequence[str]) -> Iterator[tuple[Prompt, str]]:
    """Ask of a pair, blind: which statement was accepted is never told.

    Yields
    ------
    tuple[Prompt, str]
        A prompt, and the field of ``Checks`` that its answer goes into.
    """
    turned = int(hashlib.sha256(pair.name.encode()).hexdigest(), 16) % 2
    first, second = pair.statements[turned], pair.statements[1 - turned]
    yield prompts.differs(first, second, pair.error), "on_target"
    for text, note in zip(pair.statements, ("accepted_holds", "rejected_holds"), strict=True):
        yield prompts.fits(text, traits) if traits else prompts.holds(text), note


def note_answer(pair: PreferencePair, note: str, said: Judgement) -> PreferencePair:
    """Add one answer of the checker to a pair."""
    assert pair.checks is not None, "only what was compared is checked"
    wanted, otherwise = _NOTES[note]
    answer = None if said.answer is None else said.answer == "yes"
    reason = "unanswered" if answer is None else None if answer == wanted else otherwise
    checks = pair.checks.model_copy(update={note: answer})
    return pair.model_copy(update={"checks": checks, "reason": reason, "missing": said.missing})


def sum_usages(usages: Sequence[Usage]) -> Usage:
    return Usage(
        calls=sum(usage.calls for usage in usages),
        input_tokens=sum_known(usage.input_tokens for usage in usages),
        output_tokens=sum_known(usage.output_tokens for usage in usages),
        cache_read_tokens=sum_known(usage.cache_read_tokens for usage in usages),
        cache_write_tokens=sum_known(usage.cache_write_tokens for usage in usages),
        reasoning_tokens=sum_known(usage.reasoning_tokens for usage in usages),
        cost_usd=sum_known(usage.cost_usd for usage in usages),
        cached=bool(usages) and all(usage.cached for usage in usages),
    )
