"""A report of drawn questions, by the public command: half of the others', and a dear sample."""

from __future__ import annotations

import csv
import html
import re
from pathlib import Path

from click.testing import CliRunner

from analysis.cli.main import main
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.ledger_lines import Judgement
from store.runs.rejudgements import (
    JudgementWriter,
    RejudgedAnswer,
    RejudgementHeader,
    judgement_files,
    read_judgements,
)

DEAR = "openai/dear"
AFTER = 48
"""Where the after window of the example begins."""


def judge_again(data: DataFolder, **changes: object) -> None:
    """Another judge, who differs from the first in every ninth video; asked as it is declared."""
    identities = {read(path).started.persona.identity for path in data.ledgers()}
    traits = dict(name.split("~") for name in identities)
    for path in data.ledgers():
        own = read(path).started.persona.identity
        for file in judgement_files(path.parent)[:1]:
            first = read_judgements(file)
            if first.judge.model == DEAR:
                continue
            names = tuple(sorted(identities))
            fields = {"model": DEAR, "personas": names, "seed": 4, **changes}
            judge = first.judge.model_copy(update=fields)
            if judge.sample is not None:
                lines = drawn_lines(judge, first.asked, own, traits)
                counted = {**judge.sample.model_dump(), "here": len(lines)}
                judge = judge.model_copy(update={"sample": counted})
            write_part(path.parent, judge, first.asked, own, traits)


def write_part(
    folder: Path,
    judge: RejudgementHeader,
    lines: tuple[RejudgedAnswer, ...],
    own: str,
    traits: dict[str, str],
) -> None:
    kept = []
    for line in drawn_lines(judge, lines, own, traits):
        says = line.judgement.answer
        if line.position % 9 == 0:
            says = "no" if says == "yes" else "yes"
        changed = {"traits": traits[line.persona], "judgement": Judgement(answer=says)}
        kept.append(line.model_copy(update=changed))
    with JudgementWriter(judge.path(folder), judge) as writer:
        writer.append(kept)


def drawn_lines(
    judge: RejudgementHeader, lines: tuple[RejudgedAnswer, ...], own: str, traits: dict[str, str]
) -> list[RejudgedAnswer]:
    """Answers to the questions that are drawn, of those that were given about everything."""
    plain = [line for line in lines if not (line.mirrored or line.repeat)]
    positions = {line.position for line in plain}
    if judge.sample is not None:
        positions = {position for position in positions if position >= AFTER}
    drawn = {name: judge.draw(name, positions, own=name == own) for name in judge.personas}
    return [
        line for line in plain if line.position in drawn[f"{line.persona}~{traits[line.persona]}"]
    ]


def report(data: DataFolder, out: Path) -> tuple[str, dict[str, dict[str, str]]]:
    """The page as words, and the estimates by name."""
    words = ["report", "example", "--data", str(data.root), "--out", str(out)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    page = "".join(path.read_text(encoding="utf-8") for path in out.rglob("*.html"))
    with (out / "tables" / "estimates.csv").open(encoding="utf-8") as lines:
        rows = {row["name"]: row for row in csv.DictReader(lines)}
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))), rows


def test_a_dear_sample_beside_a_judge_of_all_videos(copied: DataFolder, tmp_path: Path) -> None:
    _, before = report(copied, tmp_path / "before")
    judge_again(copied, sample={"questions": 600, "here": 1, "own": 0.8, "others": 0.25})
    page, rows = report(copied, tmp_path / "after")
    assert {name: rows[name] for name in before} == before, "nothing else has changed"
    name = f"specific sway as {DEAR} would judge all videos, simple x {DEAR}"
    both = rows[name]
    assert float(both["low"]) < float(both["value"]) < float(both["high"])
    assert float(both["p"]) < 0.05
    assert f"specific sway, simple x {DEAR}" not in rows, "it has no matrix of its own"
    assert f"Specific sway as {DEAR} would judge all videos" in page
    assert re.search(r"the interval is −?[\d.]+ % narrower than from the sample alone", page)
    assert "Its questions are 600 about after windows, drawn over all runs" in page


def test_half_of_the_others_questions(copied: DataFolder, tmp_path: Path) -> None:
    judge_again(copied, others=0.5)
    page, rows = report(copied, tmp_path / "after")
    row = rows[f"specific sway, simple x {DEAR}"]
    assert float(row["low"]) < float(row["value"]) < float(row["high"])
    assert "and as each other persona about 50.0 % of them, drawn" in page
    assert "every video judged as every persona, and a share was drawn" in page
    assert not any("would judge all videos" in name for name in rows)
