"""A study asks as many questions as its dry run told, costs as much, and ends with its budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.study.preparation import prepare_study
from agent.study.quote import OWN_SITE_FRAME, quote_study
from agent.study.study_file import load_study
from store.runs.data_folder import DataFolder
from store.runs.payment_book import PaymentBook
from tests.agent.models.billing_server import BillingServer
from tests.e2e.commands import feedsway, ledgers

STUDY = """
name = "small"
[matrix]
personas = ["p01", "p05"]
models = ["openai/gpt-4o"]
arms = ["treatment", "passive"]
[windows]
before = 2
adapt = 1
after = 2
baseline = "passive"
[pace]
parallel = 2
[test]
primary = "matrix"
[budget]
max_cost = {budget}
"""


@pytest.mark.drill
def test_the_whole_study_costs_what_was_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, data = tmp_path / "study.toml", tmp_path / "data"
    file.write_text(STUDY.format(budget=1), encoding="utf-8")
    declared = load_study(file)
    study = prepare_study(declared, file, DataFolder(data), lambda config: None)
    quoted = quote_study(declared, study.cells, study.frozen.personas)
    assert quoted.cost_usd is not None
    with BillingServer().running(monkeypatch) as server:
        done = feedsway("study", str(file), "--data", str(data))
        assert done.returncode == 0, done.stderr
        assert len(server.bills) == quoted.questions.watching == 4 * 5
        again = feedsway(
            "rejudge", "small", "--everyone", "--model", "openai/gpt-4o", "--data", str(data)
        )
        assert again.returncode == 0, again.stderr
        assert len(server.bills) == quoted.questions.total == 20 + 2 * 2 * 4
    steps = [step for ledger in ledgers(data) for step in ledger.steps if step.eligible]
    assert {(frame.width, frame.height) for step in steps for frame in step.frames} == {
        OWN_SITE_FRAME
    }
    paid = PaymentBook(data / "payments.jsonl").balance(["study/small"])
    assert paid.calls == quoted.questions.total
    assert paid.cost_usd == pytest.approx(quoted.cost_usd, rel=0.05)


@pytest.mark.drill
def test_runs_end_where_the_budget_is_spent_and_go_on_with_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, data = tmp_path / "study.toml", tmp_path / "data"
    file.write_text(STUDY.format(budget=0.012), encoding="utf-8")
    with BillingServer().running(monkeypatch) as server:
        done = feedsway("study", str(file), "--data", str(data))
        assert done.returncode == 1
        assert "The cap of $0.012 is reached" in done.stderr
        assert "Raise max_cost or max_tokens under [budget]" in " ".join(done.stderr.split())
        assert 4 < len(server.bills) < 10
        file.write_text(STUDY.format(budget=1), encoding="utf-8")
        more = feedsway("study", str(file), "--data", str(data))
        assert more.returncode == 0, more.stderr
        assert len(server.bills) == 20
