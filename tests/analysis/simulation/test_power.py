import json
import math

import pytest
from click.testing import CliRunner

from analysis.cli.main import main
from analysis.errors import BadPlan
from analysis.simulation.power import OPTIONS, Trials, cheapest, powers, smallest_sway
from analysis.simulation.scenarios import StudyPlan, World

FEW = Trials(studies=200)
PASSIVE = StudyPlan(personas=10, before=24, adapt=24, after=52, baseline="passive")


def test_what_each_plan_allows() -> None:
    assert [p.design for p in powers(StudyPlan(personas=3), World(), FEW)] == [
        "paired with control"
    ]
    assert len(powers(StudyPlan(), World(), FEW)) == 1
    assert [p.design for p in powers(PASSIVE, World(), FEW)] == [
        "paired with control",
        "adjusted matrix",
        "borrowed base",
    ]


def test_videos_and_judgements_by_hand() -> None:
    told = {p.design: p for p in powers(PASSIVE, World(), FEW, "m", lambda name: {"m": 0.01}[name])}
    assert told["paired with control"].videos == 2000
    assert told["paired with control"].judgements == 2000
    assert told["adjusted matrix"].videos == 1000
    assert told["adjusted matrix"].judgements == 1000 + 100 * 76
    assert told["borrowed base"].judgements == 1000 + 100 * 76  # re-judging asks about both windows
    assert told["borrowed base"].cost == pytest.approx(86.0)
    assert told["borrowed base"].runs == 10


def test_an_unknown_price_is_no_number() -> None:
    assert math.isnan(powers(StudyPlan(personas=3), World(), FEW, "m", lambda _: None)[0].cost)


def test_power_grows_with_the_sway_and_meets_it_at_the_smallest() -> None:
    (told,) = powers(StudyPlan(personas=3), World(), FEW)
    assert list(told.power.values()) == sorted(told.power.values())
    smallest = smallest_sway(OPTIONS[0], StudyPlan(), World(), FEW)
    assert FEW.power(OPTIONS[0], StudyPlan(), World(), smallest / 100) >= 0.8
    assert FEW.power(OPTIONS[0], StudyPlan(), World(), smallest / 100 - 0.02) < 0.85
    bigger = smallest_sway(OPTIONS[0], StudyPlan(personas=30), World(), FEW)
    assert bigger < smallest


def test_a_sway_that_has_no_room_has_a_reason() -> None:
    (told,) = powers(StudyPlan(personas=2, before=6, after=6), World(base=0.8), FEW)
    assert math.isnan(told.smallest)
    assert told.reason


def test_the_cheapest_designs_reach_the_target() -> None:
    found = cheapest(0.2, World(), FEW, windows=(StudyPlan(), PASSIVE))
    assert {power.design for power in found} == {option.name for option in OPTIONS}
    assert all(next(iter(power.power.values())) >= 0.8 for power in found)
    videos = [power.videos for power in found]
    assert videos == sorted(videos)
    priced = cheapest(0.2, World(), FEW, "m", lambda _: 0.01, windows=(StudyPlan(), PASSIVE))
    costs = [power.cost for power in priced]
    assert costs == sorted(costs)
    assert priced[0].design == "paired with control"


@pytest.mark.parametrize("target", [0, -0.1, 0.9, 0.005])
def test_targets_that_no_study_finds(target: float) -> None:
    with pytest.raises(BadPlan, match="Type: --"):
        cheapest(target, World(), Trials(studies=50), windows=(StudyPlan(),))


def test_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["power", "--personas", "3", "--before", "50", "--after", "50", "--base", "0.2"]
    told = CliRunner().invoke(main, arguments)
    assert told.exit_code == 0, told.output
    for words in ("paired with control", "smallest pp", "two-sided", "base rate 20 %"):
        assert words in told.stdout
    program = CliRunner().invoke(main, [*arguments, "--json", "--cost-per-video", "0.5"])
    (design,) = json.loads(program.stdout)
    assert design["cost"] == 300
    assert set(design["power"]) == {"5.0", "10.0", "15.0", "20.0"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "much"], "Type: 10pp"),
        (["--target", "95pp"], "Type: --base"),
        (["--personas", "1"], "--personas"),
        (["--after", "100", "--catalogue", "149"], "Type: --before 74 --after 74"),
        (["--target", "10pp", "--catalogue", "9"], "--before 4 --after 4, without --target"),
    ],
)
def test_bad_plans_are_one_sentence(arguments: list[str], words: str) -> None:
    told = CliRunner().invoke(main, ["power", *arguments])
    assert told.exit_code == 2
    assert words in told.stderr
    assert "Traceback" not in told.stderr


def test_windows_longer_than_the_catalogue_are_refused() -> None:
    assert StudyPlan(before=50, adapt=10, after=100, catalogue=160).videos == 160
    with pytest.raises(BadPlan, match=r"repeats where a theme has 159.*--before 74 --after 74$"):
        StudyPlan(before=50, adapt=10, after=100, catalogue=159)
