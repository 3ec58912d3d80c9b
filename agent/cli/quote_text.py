"""What a study will take, in words: questions, hours and money, with what they do not cover."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from store.terminal.printing import count_of

if TYPE_CHECKING:
    from agent.study.quote import StudyQuote

NOT_COUNTED = (
    "Not counted: second questions after unreadable replies, attempts that failed,\n"
    "  thoughts of models that think first, discounts and taxes."
)


def time_text(quote: StudyQuote, parallel: int) -> str:
    text = f"About {_duration(quote.watching_s)}, {parallel} at a time"
    if quote.judging_s:
        text += f", and {_duration(quote.judging_s)} for stored frames afterwards"
    if quote.batches:
        named = count_of(quote.batches, "batch")
        text += f", and {named} for stored frames afterwards, each answered within a day"
    return f"{text}."


def calls_text(quote: StudyQuote) -> str:
    questions = quote.questions
    text = f"Model calls: {questions.watching:,} while watching"
    if not questions.stored:
        return f"{text}."
    parts = {
        "as who watched": questions.own,
        "as the others": questions.others,
        "the opposite question": questions.mirrored,
        "for reasons": questions.explaining,
    }
    named = ", ".join(f"{count:,} {what}" for what, count in parts.items() if count)
    return f"{text}, and {questions.stored:,} about stored frames afterwards ({named})."


def money_text(quote: StudyQuote) -> list[str]:
    """Tell what the calls cost, in lines; by which prices, and what is not counted."""
    from agent.models import prices
    from agent.study.quote import SERVED_REPLY_S

    if quote.free:
        none = "none (no model here charges)" if not quote.tokens else "none but your machine's"
        return [f"Cost: {none}."]
    tokens = f"{quote.tokens:,} tokens"
    if quote.cost_usd is None or quote.bounds is None:
        unknown = [judge.model for judge in quote.judges if judge.cost_usd is None]
        return [
            f"Cost: not known, since no price is listed for {', '.join(unknown)}; about {tokens}.",
            NOT_COUNTED,
        ]
    low, high = quote.bounds
    return [
        f"Cost: about {dollars(quote.cost_usd)} ({dollars(low)} to {dollars(high)}), {tokens}.",
        *_thinking_lines(quote),
        NOT_COUNTED,
        f"Prices: {prices.dated(datetime.now(UTC).date())}.",
        f"Hours take a served model to reply in {SERVED_REPLY_S:g} s, and leave out daily caps and "
        "what is done again.",
    ]


def _thinking_lines(quote: StudyQuote) -> list[str]:
    """The most that models cost which think before they answer."""
    return [
        f"{judge.model} may think first, and is paid for it: "
        f"{dollars(judge.thinking_usd)} at most, with {judge.reply_tokens:,} tokens a reply."
        for judge in quote.judges
        if judge.thinking_usd is not None
    ]


def dollars(amount: float) -> str:
    """Write US dollars: in cents, and of less than one dollar in hundredths of a cent."""
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"


def _duration(seconds: float) -> str:
    if seconds < 5400:
        return count_of(max(1, round(seconds / 60)), "minute")
    return f"{seconds / 3600:,.1f} hours"
