"""A study's quote holds: as many questions are asked and, within 5 %, as much is paid."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import cli
from agent.models.batches import desk
from agent.study.preparation import keep_study, prepare_study
from agent.study.quote import OWN_SITE_FRAME, StudyQuote, quote_study
from agent.study.study_file import load_study
from personas.library import find
from personas.strategies import hashes
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import PersonaRecord
from store.runs.payment_book import PaymentBook
from store.runs.rejudgements import judgement_files, read_judgements
from tests.agent.models import tiny
from tests.agent.models.billing_server import BillingServer
from tests.agent.models.test_billing import need_client
from tests.store.samples import finished, frame, jpeg, keep_run, started, step

# inspect_ai calls tenacity, and Google's client aiohttp, in deprecated ways; it is theirs to mend
pytestmark = [
    pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
]

PERSONAS = ("p01", "p05", "p09")
STUDY = """
name = "small"
[matrix]
personas = ["p01", "p05", "p09"]
models = ["{model}"]
arms = ["treatment"]
[windows]
before = 2
adapt = 2
after = 2
baseline = "passive"
[frames]
count = {frames}
[test]
primary = "matrix"
"""
NEAR = 0.05


def study_with_runs(folder: Path, model: str, frames: int = 1, more: str = "") -> tuple[Path, Path]:
    """A study's file and its data folder, in which the runs are complete."""
    file, data = folder / "study.toml", DataFolder(folder / "data")
    file.write_text(STUDY.format(model=model, frames=frames) + more, encoding="utf-8")
    study = prepare_study(load_study(file), file, data, lambda config: None)
    keep_study(study, file)
    kept = FrameStore(data.frames_dir)
    for number, cell in enumerate(study.cells):
        who = find(cell.persona)
        persona = PersonaRecord(
            id=who.id, traits=who.traits, source=who.source, licence=who.licence
        )
        config = {"study": "small", "cell": cell.key, "replicate": 1, "block": cell.block}
        run = f"r{number}"
        with LedgerWriter(data.ledger_path(run), fsync=False) as writer:
            writer.append(
                started(
                    run,
                    persona=persona,
                    model=cell.model,
                    config=config,
                    prompts=hashes("simple"),
                    windows=study.declared.windows,
                    account=f"slot{number}",
                )
            )
            for position in range(6):
                phase = ("before", "adapt", "after")[position // 2]
                pictures = [
                    jpeg("teal", 100 * number + 10 * position + nth, OWN_SITE_FRAME)
                    for nth in range(frames)
                ]
                for picture in pictures:
                    kept.put(picture, sync=False)
                writer.append(step(position, *map(frame, pictures), phase=phase))
            writer.append(finished(6))
    return file, data.root


def quote(file: Path, data: Path) -> StudyQuote:
    study = prepare_study(load_study(file), file, DataFolder(data), lambda config: None)
    return quote_study(study.declared, study.cells, study.frozen.personas)


def run_command(*words: str) -> str:
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def rejudge_as_printed(data: Path, model: str, *words: str) -> None:
    run_command("rejudge", "small", "--everyone", "--model", model, *words, "--data", str(data))


def answers(data: Path) -> int:
    folders = (data / "runs").iterdir()
    files = [path for folder in folders for path in judgement_files(folder)]
    return sum(len(read_judgements(path).asked) for path in files)


@pytest.mark.parametrize(
    ("model", "frames"),
    [
        ("openai/gpt-4o", 1),
        ("anthropic/claude-sonnet-5-5", 1),
        ("anthropic/claude-sonnet-5-5", 4),  # long enough to be written into the cache
        ("google/gemini-3.8-flash", 1),
    ],
)
def test_calls_are_equal_and_money_is_within_five_percent(
    model: str, frames: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_client(model)
    file, data = study_with_runs(tmp_path, model, frames)
    told = run_command("study", str(file), "--dry-run", "--data", str(data))
    assert "18 while watching, and 36 about stored frames afterwards" in told
    assert "12 as who watched, 24 as the others" in told
    quoted = quote(file, data)
    assert quoted.cost_usd is not None
    printed = re.search(r"Cost: about \$([\d.]+)", told)
    assert printed is not None
    assert float(printed[1]) == pytest.approx(quoted.cost_usd, rel=0.01)
    with BillingServer().running(monkeypatch) as server:
        rejudge_as_printed(data, model)
    assert len(server.bills) == answers(data) == quoted.questions.stored == 36
    assert any(bill.written for bill in server.bills) == (frames == 4)
    stored = quoted.cost_usd * quoted.questions.stored / quoted.questions.total
    paid = PaymentBook(data / "payments.jsonl").balance(["study/small"])
    assert paid.calls == 36
    assert paid.cost_usd == pytest.approx(stored, rel=NEAR)


@pytest.mark.parametrize(
    "model", ["openai/gpt-4o", "anthropic/claude-sonnet-5-5", "google/gemini-3.8-flash"]
)
def test_batches_cost_what_the_quote_says(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command is the one that the study tells; one question of 36 is asked live."""
    need_client(model)
    for name in ("TICK_S", "GATHER_S"):
        monkeypatch.setattr(desk, name, 0.1)
    file, data = study_with_runs(tmp_path, model, more="[rejudge]\nbatch = true\n")
    told = run_command("study", str(file), "--dry-run", "--data", str(data))
    assert "1 batch for stored frames afterwards, each answered within a day" in told
    quoted = quote(file, data)
    assert quoted.cost_usd is not None
    assert quoted.live_usd is not None
    with BillingServer().running(monkeypatch) as server:
        rejudge_as_printed(data, model, "--batch")
    assert len(server.bills) == answers(data) == quoted.questions.stored == 36
    assert len(server.batch_bills) == 35
    watching = quoted.live_usd * quoted.questions.watching / quoted.questions.total
    paid = PaymentBook(data / "payments.jsonl").balance(["study/small"])
    assert paid.cost_usd == pytest.approx(quoted.cost_usd - watching, rel=NEAR)


def test_a_study_without_a_batch_service_declares_none(tmp_path: Path) -> None:
    file, data = study_with_runs(tmp_path, "embedded/conse")
    file.write_text(file.read_text("utf-8") + "[rejudge]\nbatch = true\n", "utf-8")
    refused = CliRunner().invoke(cli, ["study", str(file), "--dry-run", "--data", str(data)])
    assert refused.exit_code == 2
    assert "embedded/conse has no batch service known here" in " ".join(refused.stderr.split())


def test_drawn_and_mirrored_questions_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the others' four videos two each are drawn; every question comes with its opposite."""
    more = "[rejudge]\nothers = 0.5\nmirrored = true\n"
    file, data = study_with_runs(tmp_path, "openai/gpt-4o", more=more)
    told = run_command("study", str(file), "--dry-run", "--data", str(data))
    assert "48 about stored frames" in told
    assert "12 as who watched, 12 as the others, 24 the opposite question" in told
    with BillingServer().running(monkeypatch) as server:
        rejudge_as_printed(data, "openai/gpt-4o", "--others", "0.5", "--mirrored")
    assert len(server.bills) == answers(data) == 48


def test_every_judge_of_a_study_is_asked_about_all_of_its_runs(tmp_path: Path) -> None:
    models = ("scripted/yes", "scripted/no")
    file, data = study_with_runs(tmp_path, '", "'.join(models))
    told = run_command("study", str(file), "--dry-run", "--data", str(data))
    assert "36 while watching, and 144 about stored frames afterwards" in told
    for model in models:
        rejudge_as_printed(data, model)
    assert answers(data) == 144


def test_a_local_model_costs_no_money_and_as_many_calls(tmp_path: Path) -> None:
    model = f"hfvlm/{tiny.save_llava(tmp_path / 'llava')}"
    file, data = study_with_runs(tmp_path, model)
    told = run_command("study", str(file), "--dry-run", "--data", str(data))
    assert "Cost: none but your machine's." in told
    rejudge_as_printed(data, model)
    assert answers(data) == quote(file, data).questions.stored == 36
    assert PaymentBook(data / "payments.jsonl").balance(["study/small"]).cost_usd == 0


def test_a_study_ends_where_its_budget_is_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The budget is of the study: what another command spent for it counts."""
    more = "[budget]\nmax_cost = 0.03\n"
    file, data = study_with_runs(tmp_path, "openai/gpt-4o", more=more)
    told = CliRunner().invoke(cli, ["study", str(file), "--dry-run", "--data", str(data)])
    assert "Budget: $0.03" in told.stdout
    assert "The budget is smaller than that" in told.stderr
    words = ["rejudge", "small", "--everyone", "--model", "openai/gpt-4o", "--data", str(data)]
    with BillingServer().running(monkeypatch) as server:
        first = CliRunner().invoke(cli, words)
        spent = len(server.bills)
        again = CliRunner().invoke(cli, words)
    assert first.exit_code == again.exit_code == 1
    assert "The cap of $0.03 is reached" in first.stderr
    assert "Raise max_cost or max_tokens under [budget]" in " ".join(first.stderr.split())
    assert 12 < spent <= len(server.bills) < 24
    assert PaymentBook(data / "payments.jsonl").balance(["study/small"]).cost_usd <= 0.03
    lines = (data / "payments.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line).get("study") for line in lines if "reserved" in line} == {"small"}


def test_a_budget_is_not_held_for_a_part_of_what_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "loopback")
    _, data = study_with_runs(tmp_path, "openai/gpt-4o", more="[budget]\nmax_cost = 1\n")
    keep_run(DataFolder(data), "stranger", ["red"])
    words = ["rejudge", "r0", "stranger", "--data", str(data), "--model"]
    refused = CliRunner().invoke(cli, [*words, "openai/gpt-4o"])
    assert refused.exit_code == 2
    assert "one of theirs has a budget" in " ".join(refused.stderr.split())
    assert "rejudge small" in refused.stderr
    free = CliRunner().invoke(cli, [*words, "scripted/yes"])
    assert free.exit_code == 0, free.output
