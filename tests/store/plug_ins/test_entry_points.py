"""Plug-ins are found without being run, and each fault of one is a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner

from agent import platforms
from agent.cli import cli
from agent.models import load_here, providers
from analysis.estimators.custom_estimators import PLUG_INS as ESTIMATORS
from personas import strategies
from store.encoders import registry
from store.plug_ins import entry_points
from store.plug_ins.entry_points import PlugInBroken, PlugInClash, PlugInKind
from store.runs.run_provenance import PlugInMark
from tests.plug_in_packages import seen, write_package

JUDGE = """
from agent.models.custom_model import CustomModel

class Mine(CustomModel):
    def likes(self, question):
        return 0.7
"""


def refused(*words: str) -> str:
    """What a command that is the user's to mend says."""
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2, done.output
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_every_group_has_a_kind_of_a_name_that_ledgers_take() -> None:
    kinds = [PlugInKind(group, ()).noun for group in entry_points.NOUNS]
    assert set(kinds) == set(get_args(PlugInMark.model_fields["kind"].annotation))
    assert len(kinds) == 5


def test_help_looks_for_none_and_a_run_without_any_loads_none(tmp_path: Path) -> None:
    write_package(tmp_path, "mine", "raise SystemExit('was imported')", {"models.mine": "mine:X"})
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from click.testing import CliRunner\nfrom agent.cli import cli\n"
        "assert CliRunner().invoke(cli, ['run', '--help']).exit_code == 0\n"
        "assert 'importlib.metadata' not in sys.modules\n"
        "from agent.models import check\nfrom store import encoders\n"
        "from personas import strategies\n"
        "from agent.platforms import load_platform\n"
        "check('scripted/yes'); check('openai/gpt-4o'); encoders.check('conse')\n"
        "strategies.hashes('simple'); load_platform('tiktok')\n"
        "assert 'mine' not in sys.modules\n"
        "from agent.models.providers import PLUG_INS\n"
        "assert PLUG_INS.names() == ('mine',)\n"
        "assert 'mine' not in sys.modules\n"
        "from store.plug_ins.entry_points import PlugInBroken\n"
        "try:\n    check('mine/x')\nexcept PlugInBroken:\n    print('asked for')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("asked for\n", 0), done.stderr


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ("models.openai", ("run", "--persona", "p12", "--model", "openai/gpt-4o")),
        ("models.embedded", ("run", "--persona", "p12")),
        ("strategies.simple", ("run", "--persona", "p12")),
        ("platforms.tiktok", ("run", "--persona", "p12", "--platform", "tiktok")),
        ("encoders.conse", ("run", "--persona", "p12")),
        ("encoders.conse-1", ("run", "--persona", "p12", "--encoder", "conse-1")),
    ],
)
def test_a_name_of_ours_is_refused_in_one_sentence(
    tmp_path: Path, point: str, words: tuple[str, ...]
) -> None:
    with seen(write_package(tmp_path, "greedy", JUDGE, {point: "greedy:Mine"})):
        told = refused(*words, "--data", str(tmp_path / "data"))
    assert "is declared by feedsway itself and by greedy 1.0" in told
    assert told.endswith("Type: pip uninstall greedy\n")


def test_a_clash_harms_nobody_who_does_not_type_the_name(tmp_path: Path) -> None:
    with seen(write_package(tmp_path, "greedy", JUDGE, {"models.openai": "greedy:Mine"})):
        load_here("scripted/yes")
        assert providers.PLUG_INS.names() == ()


def test_two_packages_of_one_name_are_refused(tmp_path: Path) -> None:
    one = write_package(tmp_path / "one", "first", JUDGE, {"models.mine": "first:Mine"})
    two = write_package(tmp_path / "two", "second", JUDGE, {"models.mine": "second:Mine"})
    with seen(one, two), pytest.raises(PlugInClash, match=r"first 1\.0 and by second 1\.0|second"):
        load_here("mine/x")


def test_one_package_on_two_places_of_the_path_is_one(tmp_path: Path) -> None:
    one = write_package(tmp_path / "one", "mine", JUDGE, {"models.mine": "mine:Mine"})
    two = write_package(tmp_path / "two", "mine", JUDGE, {"models.mine": "mine:Mine"})
    with seen(one, two):
        assert load_here("mine/x").name == "mine/x"


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("\n\nimport nothing_of_this_name", "ModuleNotFoundError: No module named"),
        ("x = 1\ny = x / 0", "ZeroDivisionError: division by zero (broken.py, line 2)"),
        ("", "AttributeError: module 'broken' has no attribute 'Mine'"),
        ("class Mine", "SyntaxError"),
        ("raise SystemExit(0)", "SystemExit: 0 (broken.py, line 1)"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence(tmp_path: Path, code: str, problem: str) -> None:
    with seen(write_package(tmp_path, "broken", code, {"models.mine": "broken:Mine"})):
        told = refused("run", "--persona", "p12", "--model", "mine/x")
    begins = f"The model mine of broken 1.0 cannot be used: loading it fails with {problem}"
    assert told.startswith(begins)
    assert told.endswith("Type: python -c 'from broken import Mine'\n")


@pytest.mark.parametrize(
    ("point", "code", "problem"),
    [
        ("models.mine", "X = object()", "no subclass of agent.models.custom_model.CustomModel"),
        (
            "models.mine",
            "from agent.models.custom_model import CustomModel\n"
            "class X(CustomModel):\n    capabilities = {}",
            "capabilities are none of",
        ),
        (
            "models.mine",
            "from agent.models.custom_model import CustomModel\n"
            "class X(CustomModel):\n    def __init__(self, name):\n        raise OSError('gone')",
            "making it fails with OSError: gone (odd.py, line 4)",
        ),
        ("encoders.mine", "X = 3", "no subclass of store.encoders.CustomEncoder"),
        (
            "encoders.mine",
            "from store.encoders import CustomEncoder\n"
            "class X(CustomEncoder):\n    dim = 2\n"
            "    def __init__(self, *_):\n        self.id = 'conse'",
            "its id 'conse' does not begin with mine",
        ),
        ("strategies.mine", "X = 'a prompt'", "no pathlib.Path"),
        ("strategies.mine", "from pathlib import Path\nX = Path('/no/where')", "cannot be read"),
        ("platforms.mine", "X = 'https://mine.example'", "no agent.platforms.base.Platform"),
        (
            "platforms.mine",
            "from agent.platforms.playground import PLATFORM as X",
            "its Platform is named 'playground'",
        ),
        (
            "platforms.mine",
            "from dataclasses import replace\n"
            "from agent.platforms.playground import PLATFORM\nX = replace(PLATFORM, name='mine')",
            "it is not live",
        ),
        ("models.mi ne", JUDGE.replace("Mine", "X"), "its name has more than letters"),
    ],
)
def test_what_is_not_what_it_says_is_one_sentence(
    tmp_path: Path, point: str, code: str, problem: str
) -> None:
    loaders: dict[str, Callable[[str], object]] = {
        "models": lambda name: load_here(f"{name}/x"),
        "encoders": registry.load,
        "strategies": strategies.hashes,
        "platforms": platforms.load_platform,
    }
    group, _, name = point.partition(".")
    package = write_package(tmp_path, "odd", code, {point: "odd:X"})
    with seen(package), pytest.raises(PlugInBroken) as caught:
        loaders[group](name)
    told = str(caught.value)
    assert f" {name} of odd 1.0 cannot be used: " in told
    assert problem in told
    assert told.endswith("Type: pip uninstall odd")


def prompt_file(folder: Path, **changes: str) -> str:
    """Code of a strategy, and its file beside it."""
    wording = {
        "system": "This is you:\n$traits",
        "scene": "Short videos.",
        "question": "Stay?",
        "mirrored": "Leave?",
    } | changes
    lines = [f'{name} = """{text}"""' for name, text in wording.items() if text != "-"]
    folder.mkdir(exist_ok=True)
    text = 'answer = "Yes or no."\nexplain = "Yes or no, and why."\n[[paraphrase]]\n'
    (folder / "own.toml").write_text(text + "\n".join(lines), encoding="utf-8")
    return "from pathlib import Path\nX = Path(__file__).with_name('own.toml')"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"question": "-"}, "paraphrase.0.question: Field required"),
        ({"mirrored": "-"}, "no opposite question (mirrored) of its paraphrase 1"),
        ({"system": "You are someone."}, "placeholders other than $traits"),
        ({"system": "You are $traits and $id."}, "placeholders other than $traits"),
        ({"scene": ""}, "there is no scene"),
        ({"mood": "odd"}, "paraphrase.0.mood: Extra inputs are not permitted"),
        ({"question": '""" = '}, "Expected newline or end of document"),
    ],
)
def test_a_prompt_file_is_checked_before_it_is_used(
    tmp_path: Path, changes: dict[str, str], problem: str
) -> None:
    code = prompt_file(tmp_path, **changes)
    with seen(write_package(tmp_path, "words", code, {"strategies.own": "words:X"})):
        told = refused("run", "--persona", "p12", "--strategy", "own")
    assert told.startswith("The strategy own of words 1.0 cannot be used: ")
    assert problem in told


def test_a_good_prompt_file_is_a_strategy(tmp_path: Path) -> None:
    from personas.library import find

    code = prompt_file(tmp_path)
    with seen(write_package(tmp_path, "words", code, {"strategies.own": "words:X"})):
        prompt = strategies.build("own", find("p12"), mirrored=True)
        assert prompt.user == "Leave?\nYes or no."
        assert prompt.system.endswith("Short videos.")
        assert find("p12").traits[0] in prompt.system
        assert strategies.read(prompt, "No.").answer == "yes"
        assert strategies.strategies() == ("plain", "simple", "isq", "own")


def code_of(site: Path) -> str:
    """Hash of the only model's package, as a new process tells it."""
    with seen(site):
        (plug_in,) = providers.PLUG_INS.all()
        return plug_in.code


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def test_the_code_of_a_package_is_all_of_its_files(tmp_path: Path) -> None:
    files = {"core/__init__.py": "", "core/rule.yaml": "", "weights.bin": "", "other.py": ""}
    site = write_files(tmp_path / "site", files)
    write_package(site, "mine", "", {"models.mine": "mine:Mine"})
    hashes = [code_of(site)]
    for name in (*files, "mine.py"):
        write_files(site, {name: "x = 1"})
        hashes.append(code_of(site))
    assert len(set(hashes)) == 6
    assert all(len(each) == 16 for each in hashes)
    files = {"__pycache__/mine.cpython-311.pyc": "x", "elsewhere.py": "y = 1"}
    write_files(site, {**files, "mine-1.0.dist-info/INSTALLER": "uv"})
    assert code_of(site) == hashes[-1]


def test_what_is_added_to_a_package_by_hand_is_its_code(tmp_path: Path) -> None:
    site = write_files(tmp_path / "site", {"several/__init__.py": ""})
    write_package(site, "unused", "", {"models.mine": "several:Mine"})
    before = code_of(site)
    write_files(site, {"several/added.py": "x = 1"})
    assert code_of(site) != before


def test_the_code_of_a_package_installed_in_place_is_its_project(tmp_path: Path) -> None:
    site = write_package(tmp_path / "site", "mine", "", {"models.mine": "mine:Mine"})
    project = write_files(tmp_path / "a project", {"mine.py": "", "core.py": "", "rule.yaml": ""})
    noted = {"url": project.as_uri(), "dir_info": {"editable": True}}
    write_files(site / "mine-1.0.dist-info", {"direct_url.json": json.dumps(noted)})
    hashes = [code_of(site)]
    for name in ("core.py", "rule.yaml"):
        write_files(project, {name: "x = 1"})
        hashes.append(code_of(site))
    assert len(set(hashes)) == 3
    others = (".git/HEAD", "data/runs/r1/ledger.jsonl", "__pycache__/a.pyc", "venv/pyvenv.cfg")
    write_files(project, dict.fromkeys(others, "x"))
    assert code_of(site) == hashes[-1]


def test_a_package_that_cannot_be_read_harms_no_other(tmp_path: Path) -> None:
    good = write_package(tmp_path / "good", "mine", JUDGE, {"models.mine": "mine:Mine"})
    points = write_package(tmp_path / "points", "bad", "", {"models.bad": "bad:X"})
    write_files(points, {"bad-1.0.dist-info/entry_points.txt": "[feedsway.models]\nbad bad:X\n"})
    nameless = write_package(tmp_path / "nameless", "none", "", {"estimators.none": "none:X"})
    (nameless / "none-1.0.dist-info" / "METADATA").unlink()
    with seen(points, nameless, good):
        assert load_here("mine/x").name == "mine/x"
        assert [kind.all() for kind in (ESTIMATORS, registry.PLUG_INS)] == [(), ()]
        labels = [each.label for each in entry_points.find_broken_packages()]
    assert sorted(labels) == ["bad", f"one without a name in {nameless}"]
