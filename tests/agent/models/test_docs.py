"""The table of models names what can be loaded, at prices that are still about right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.models import check, prices

PAGE = Path(__file__).parents[3] / "docs" / "models.md"
ROW = re.compile(
    r"^\|[^|]*\|[^`|]*`([\w.-]+/[^`]+)`[^|]*\|[^|]*\| (\S+) \| (\S+) \|$", re.MULTILINE
)
ROWS = ROW.findall(PAGE.read_text(encoding="utf-8"))


def test_the_table_is_there() -> None:
    assert len(ROWS) > 15


@pytest.mark.parametrize(("name", "simple", "isq"), ROWS)
def test_a_row_can_be_typed_and_costs_about_that(name: str, simple: str, isq: str) -> None:
    check(name)
    price = prices.find(name)
    if price is None:  # of a server of one's own behind the OpenAI protocol nobody lists one
        assert name.startswith("openai-api/")
        assert {simple, isq} == {"–"}
        return
    for told, tokens in ((simple, (1000, 5)), (isq, (1200, 80))):
        cost = 100 * price.cost(*tokens)
        if told == "–":
            assert cost == 0
        else:
            # lists move while the table stands: it is rough, not wrong
            assert float(told.removeprefix("$")) == pytest.approx(cost, rel=0.3, abs=0.006)
