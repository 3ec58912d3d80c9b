"""What the hands do follows from arm, phase and judgement alone, or from the source of a yoke."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.errors import BadConfig
from agent.run.dwell_policy import plan_reaction
from agent.run.yoked_control import schedule_yoke
from agent.run_config import RunConfig
from personas.persona import Persona
from store.runs.ledger import Ledger, LedgerWriter, read
from store.runs.ledger_lines import Judgement, Reaction, Video, Windows
from tests.store.samples import finished, frame, jpeg, started, step

ME = Persona(id="me", traits=("I sail.", "I cook.", "I read."), themes=("travel",))
YES, NO = Judgement(answer="yes"), Judgement(answer="no")
MISSING = Judgement(answer=None, missing="refused")
WINDOWS = Windows(before=6, adapt=0, after=30, baseline="passive")


def config(**changes: Any) -> RunConfig:
    return RunConfig(persona=ME, **changes)


@pytest.mark.parametrize(
    ("judgement", "action", "dwell_s"),
    [(YES, "stay", 8.0), (NO, "swipe", 0.8), (MISSING, "swipe", 0.8)],
)
def test_the_judgement_decides_in_the_treatment(
    judgement: Judgement, action: str, dwell_s: float
) -> None:
    decided = plan_reaction(config(), "before", judgement, None)
    assert (decided.action, decided.dwell_s, decided.like) == (action, dwell_s, False)


def test_what_is_excluded_is_never_stayed_for() -> None:
    assert plan_reaction(config(like=True), "after", YES, "ad").action == "swipe"


def test_likes_are_opt_in() -> None:
    assert plan_reaction(config(like=True), "after", YES, None).like


@pytest.mark.parametrize("judgement", [YES, NO, MISSING])
def test_passive_is_blind_to_the_answer(judgement: Judgement) -> None:
    constant = plan_reaction(config(arm="passive"), "after", YES, None)
    assert plan_reaction(config(arm="passive"), "after", judgement, None) == constant
    before = config(windows=Windows(baseline="passive"))
    assert plan_reaction(before, "before", judgement, None) == constant
    assert plan_reaction(before, "after", YES, None).action == "stay"


def test_the_hash_tells_what_matters_apart_and_nothing_else() -> None:
    assert config().digest() == config().digest()
    assert config(seed=2).digest() != config().digest()
    relabelled = ME.model_copy(update={"themes": ("music",)})
    assert RunConfig(persona=relabelled).digest() == config().digest()


def test_the_planted_truth_stays_out_of_the_ledger() -> None:
    assert "themes" not in config().resolved()["persona"]
    assert "travel" not in str(config().resolved())


# A yoked run reacts as its source did, at the same eligible steps, blind to content.


def source(folder: Path, windows: Windows = WINDOWS) -> Ledger:
    path = folder / "runs" / "r1" / "ledger.jsonl"
    path.parent.mkdir(parents=True)
    count, picture = windows.total, jpeg("red")
    with LedgerWriter(path, fsync=False) as writer:
        writer.append(started("r1").model_copy(update={"windows": windows}))
        for number in range(count):
            line = step(number, frame(picture), video=Video(id=f"v{number}", batch=number // 12))
            dwell_s = float(number)
            reaction = Reaction(
                action="stay", dwell_asked_s=99, dwell_s=dwell_s, exposure_s=0, held_s=0
            )
            phase = windows.phase(number)
            writer.append(line.model_copy(update={"reaction": reaction, "phase": phase}))
        writer.append(finished(count))
    return read(path)


def test_dwells_are_shuffled_within_their_batches(tmp_path: Path) -> None:
    planned = schedule_yoke(source(tmp_path), WINDOWS, np.random.default_rng(1))
    dwells = [planned.plan_at(at).dwell_s for at in range(6, 36)]
    assert dwells != sorted(dwells)
    assert sorted(dwells[:6]) == [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]
    assert sorted(dwells[6:18]) == [float(number) for number in range(12, 24)]
    assert sorted(dwells[18:]) == [float(number) for number in range(24, 36)]


@pytest.mark.parametrize(
    "changes",
    [{"after": 29}, {"after": 31}, {"before": 5}, {"adapt": 1}, {"baseline": "active"}],
    ids=str,
)
def test_unequal_blocks_are_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    asked = WINDOWS.model_copy(update=changes)
    with pytest.raises(BadConfig) as raised:
        schedule_yoke(source(tmp_path), asked, np.random.default_rng(1))
    said = "Type: --before 6 --adapt 0 --after 30 --baseline passive"
    assert str(raised.value).endswith(said)
