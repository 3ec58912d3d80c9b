"""What plug-ins are held to: feedsway's own parts pass, and each way to be wrong is found."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import cli
from agent.doctor import plug_in_checks as checks
from store.plug_ins.entry_points import PlugIn
from tests.plug_in_packages import seen, write_package

MODEL = "from agent.models.custom_model import *\nclass X(CustomModel):\n"
ENCODER = (
    "import numpy as np\nfrom store.encoders import CustomEncoder\n"
    "class X(CustomEncoder):\n"
    "    dim = 2\n"
    "    def images(self, images):\n        return {images}\n"
    "    def texts(self, texts):\n        return np.array([[1.0, 0.0]] * len(texts))\n"
)
SITE = (
    "from dataclasses import replace\nfrom agent.platforms.tiktok import PLATFORM, parse\n"
    "X = replace(PLATFORM, name='own', parse=lambda answer: {parse})\n"
)
WORDING = (
    'answer = "Yes or no."\nexplain = "Yes or no, and why."\n[[paraphrase]]\n'
    'system = "You:\\n$traits"\nscene = "Videos."\nquestion = "Stay?"\nmirrored = "{mirrored}"\n'
)


def own(kind: str, name: str) -> PlugIn:
    """Stand a part of feedsway's own in the place of a plug-in."""
    return PlugIn(kind, name, "feedsway", "0", EntryPoint(name, "agent", f"feedsway.{kind}s"))


@pytest.mark.parametrize("name", ["tiktok", "youtube", "instagram", "playground"])
def test_our_platforms_pass(name: str) -> None:
    assert "to walk it" in checks.check_platform(own("platform", name))


@pytest.mark.parametrize(("name", "wordings"), [("simple", 3), ("isq", 3)])
def test_our_strategies_pass(name: str, wordings: int) -> None:
    assert checks.check_strategy(own("strategy", name)) == f"{wordings} wordings"


def test_our_encoder_passes() -> None:
    assert "dimensions" in checks.check_encoder(own("encoder", "conse"))


def doctor(*words: str) -> tuple[int, list[dict[str, object]]]:
    done = CliRunner().invoke(cli, ["doctor", "--plug-ins", "--json", *words])
    return done.exit_code, json.loads(done.stdout)


@pytest.mark.parametrize(
    ("point", "code", "problem"),
    [
        ("models.own", f"{MODEL}    pass", "NotImplementedError: X has neither likes nor ask"),
        (
            "models.own",
            f"{MODEL}    def likes(self, question):\n        return 2",
            "likes returned 2.0, and a probability is from 0 to 1",
        ),
        (
            "models.own",
            f"{MODEL}    async def ask(self, question):\n        return Reply('perhaps')",
            "its reply 'perhaps' is unreadable",
        ),
        (
            "models.own",
            f"{MODEL}    async def ask(self, question):\n        return Reply('yes', p_yes=7.0)",
            "p_yes is 7.0, and a probability is from 0 to 1",
        ),
        (
            "models.own",
            f"import random\n{MODEL}    fingerprint = property(lambda _: str(random.random()))\n"
            "    def likes(self, question):\n        return 1",
            "its fingerprint differs each time that it is loaded",
        ),
        (
            "encoders.own",
            ENCODER.format(images="np.ones((len(images), 2))"),
            "its vectors are not of unit length",
        ),
        (
            "encoders.own",
            ENCODER.format(images="np.ones((len(images), 1))"),
            "2 make vectors of shape (2, 1), not 2, 2",
        ),
        (
            "encoders.own",
            ENCODER.format(
                images="(lambda a: np.stack([np.cos(a), np.sin(a)], 1))"
                "(np.random.default_rng().random(len(images)))"
            ),
            "the same input gets another vector each time",
        ),
        (
            "platforms.own",
            SITE.format(parse="answer.body['items']"),
            "a check fails with TypeError",
        ),
        ("platforms.own", SITE.format(parse="None"), "its parse gave no list of videos for None"),
        (
            "estimators.own",
            "def X(views, rng):\n    return {'first': views.answer[0]}",
            "a check fails with IndexError",
        ),
        (
            "estimators.own",
            "from analysis.estimators.custom_estimators import Estimate\n"
            "def X(views, rng):\n    return {str(n): Estimate(1.0) for n in range(201)}",
            "it returned 201 estimates, and 200 are shown",
        ),
    ],
)
def test_each_way_to_be_wrong_is_found(tmp_path: Path, point: str, code: str, problem: str) -> None:
    with seen(write_package(tmp_path, "odd", code, {point: "odd:X"})):
        exit_code, (found,) = doctor()
    assert exit_code == 2
    assert not found["ok"]
    assert problem in str(found["fix"])
    assert str(found["fix"]).endswith("Type: pip uninstall odd")


def test_a_strategy_whose_opposite_is_no_opposite_is_found(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(WORDING.format(mirrored="Stay?"), encoding="utf-8")
    code = "from pathlib import Path\nX = Path(__file__).with_name('own.toml')"
    with seen(write_package(tmp_path, "odd", code, {"strategies.own": "odd:X"})):
        exit_code, (found,) = doctor()
    assert exit_code == 2
    assert "its paraphrase 1 has no opposite question" in str(found["fix"])


def test_a_model_that_costs_or_sends_is_not_asked(tmp_path: Path) -> None:
    asks = "    async def ask(self, question):\n        raise SystemExit('was asked')\n"
    for can in ("costs=True, in_process=True", "costs=False, in_process=False"):
        code = f"{MODEL}    capabilities = Capabilities({can})\n{asks}"
        folder = tmp_path / can[:10].replace("=", "")
        with seen(write_package(folder, "paid", code, {"models.own": "paid:X"})):
            exit_code, (found,) = doctor()
        assert (exit_code, found["ok"]) == (0, True)
        assert "not asked" in str(found["found"])


def test_without_any_it_says_so_and_ends_well() -> None:
    done = CliRunner().invoke(cli, ["doctor", "--plug-ins"])
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "No plug-in is installed. To write one, read docs/plug-ins.md\n"


def test_a_broken_one_does_not_fail_the_machine(tmp_path: Path) -> None:
    with seen(write_package(tmp_path, "odd", "1 / 0", {"models.own": "odd:X"})):
        (found,) = checks.check_plug_ins({}, needed=False)
    assert (found.ok, found.needed, found.found) == (False, False, "odd 1.0")


def test_a_package_whose_plug_ins_cannot_be_read_is_named(tmp_path: Path) -> None:
    for number, (name, file, text) in enumerate(
        (
            ("first", "entry_points.txt", "[feedsway.models]\nmine first:X\n"),
            ("second", "entry_points.txt", "[feedsway.models]\nmine = \n"),
            ("third", "METADATA", "Metadata-Version: 2.1\n"),
        )
    ):
        folder = write_package(tmp_path / str(number), name, "", {"models.own": f"{name}:X"})
        (folder / f"{name}-1.0.dist-info" / file).write_text(text, encoding="utf-8")
    with seen(*(tmp_path / str(number) for number in range(3))):
        exit_code, found = doctor()
    assert exit_code == 2
    assert [check["name"] for check in found] == ["package"] * 3
    assert {str(check["fix"]).partition(" Type: ")[2] for check in found} == {
        "pip uninstall first",
        "pip uninstall second",
        f"ls {tmp_path / '2'}",
    }


def test_what_a_plug_in_prints_is_no_result(tmp_path: Path) -> None:
    code = f"print('imported')\n{MODEL}    def likes(self, q):\n        print('asked')\n"
    with seen(write_package(tmp_path, "odd", f"{code}        return 1", {"models.own": "odd:X"})):
        done = CliRunner().invoke(cli, ["doctor", "--plug-ins", "--json"])
    assert [check["ok"] for check in json.loads(done.stdout)] == [True]
    assert "imported\nasked\n" in done.stderr


@pytest.mark.parametrize(
    ("point", "code"),
    [
        ("models.own", f"{MODEL}    def likes(self, q):\n        raise SystemExit(0)"),
        ("encoders.own", ENCODER.format(images="exit(0)")),
        ("estimators.own", "def X(views, rng):\n    raise SystemExit(0)"),
        ("platforms.own", SITE.format(parse="exit(0)")),
        ("models.own", "raise SystemExit(0)"),
    ],
)
def test_one_that_ends_the_process_fails(tmp_path: Path, point: str, code: str) -> None:
    with seen(write_package(tmp_path, "odd", code, {point: "odd:X"})):
        exit_code, (found,) = doctor()
    assert exit_code == 2
    assert "SystemExit: 0" in str(found["fix"])
