"""Every command has help, and every example in it works."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from analysis.cli.main import main
from analysis.examples.study import STUDY, write_example
from store.cli.main import main as store
from store.runs.data_folder import DataFolder
from store.runs.labels import DrawQuestion, Label, LabelDraw, LabelFile, write_draw
from store.runs.ledger import read
from tests.analysis import made_results
from tests.analysis.made_labels import HEADER
from tests.slow_cases import drills_but


def examples() -> Iterator[str]:
    for command in main.commands.values():
        for line in (command.epilog or "").splitlines():
            if line.startswith("  $ python -m analysis "):
                yield line.removeprefix("  $ python -m analysis ")


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_says_what_it_does(name: str) -> None:
    told = CliRunner().invoke(main, [name, "--help"])
    assert told.exit_code == 0
    assert re.search(r"Examples:\n +\$ python -m analysis " + name, told.stdout)
    assert isinstance(main.commands[name], click.Command)


LONG = ("bench", "designs", "power --personas", "power --target")


def quick() -> list[str]:
    return [one for one in examples() if not one.startswith(LONG)]


def draw_a_question(data: DataFolder) -> None:
    """A draw about the only run, which somebody has answered."""
    (path,) = data.ledgers()
    run = read(path).started
    question = DrawQuestion(
        id="q0",
        run_id=run.run_id,
        position=1,
        arm=run.arm,
        window="before",
        persona=run.persona.id,
        traits=run.persona.traits_hash,
        own=True,
        probability=0.1,
    )
    header = HEADER.model_copy(update={"runs": (run.run_id,), "name": "first-study-1"})
    write_draw(data, LabelDraw(header, (), (question,)))
    label = Label(question="q0", answer="yes", by="anna", at=header.at)
    assert LabelFile(data, "first-study-1", "anna").add([label]) == 1


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the example study."""
    folder = tmp_path_factory.mktemp("bundle")
    data = ("--data", str(write_example(folder / "data").root))
    assert CliRunner().invoke(main, ["report", STUDY, *data]).exit_code == 0
    packed = CliRunner().invoke(store, ["bundle", STUDY, str(folder / "b.tar"), *data])
    assert packed.exit_code == 0, packed.output
    return folder / "b.tar"


@pytest.mark.parametrize("example", drills_but(quick(), examples()))
def test_every_example_works(
    example: str, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = {"study": "first-study", "cell": "1"}
    made_results.paper_run(tmp_path / "data", 10, 20, config=study)
    home = tmp_path / "data" / "studies" / "first-study"
    home.mkdir(parents=True)
    (home / "study.toml").write_text('name = "first-study"\n', encoding="utf-8")
    if example.startswith("reproduce"):
        shutil.copy(bundle, tmp_path / "example.bundle.tar")
    if example.startswith("labels"):
        draw_a_question(DataFolder(tmp_path / "data"))
    rows = "".join(f"r{run},{at},{(run + at) % 3 // 2}\n" for run in range(3) for at in range(100))
    (tmp_path / "views.csv").write_text("run,position,answer\n" + rows, encoding="utf-8")
    told = CliRunner().invoke(main, shlex.split(example))
    assert told.exit_code == 0, told.output
    assert told.stdout.strip()
    hint = "Type: " if example.startswith("notebooks") else ""  # what opens the copies
    assert hint in told.stderr
    assert bool(hint) == bool(told.stderr)


def test_an_interrupted_command_says_so_by_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("analysis.simulation.power.powers", interrupted)
    assert CliRunner().invoke(main, ["power"]).exit_code == 130
