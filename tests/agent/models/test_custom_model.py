"""What a package's model gives is checked, and what it does ends no command."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Event
from time import perf_counter

import pytest

from agent.errors import ModelFailed
from agent.models import find_capabilities, load_here
from agent.models.base import Model, Question, Reply
from agent.models.custom_model import CustomModel
from personas import strategies
from personas.library import find
from store.plug_ins.entry_points import PlugInBroken
from store.terminal.printing import echo
from tests.plug_in_packages import seen, write_package

HEAD = (
    "import sys\nfrom agent.models.custom_model import *\n"
    "class Mine(CustomModel):\n    def likes(self, question):\n        return 0.7\n"
)
QUESTION = Question(strategies.build("simple", find("p12")), ())


def write_model(folder: Path, body: str) -> Path:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return write_package(folder, "mine", HEAD + lines, {"models.mine": "mine:Mine"})


def ask(model: Model) -> Reply:
    return asyncio.run(model.ask(QUESTION))


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("'Yes', p_yes=float('nan')", "its p_yes is nan, and a probability is from 0 to 1"),
        ("'Yes', p_yes=7.5", "its p_yes is 7.5"),
        ("'Yes', p_yes='0.5'", "its p_yes is '0.5'"),
        ("None", "its text is None, and no str"),
        ("5", "TypeError"),
        ("'Yes', output_tokens='x'", "its output_tokens is 'x', and a count is an int from 0"),
        ("'Yes', input_tokens=-5", "its input_tokens is -5"),
        ("'Yes', p_yes=10**400", "its p_yes is 1000"),
        ("'Yes', input_tokens=10**5000", "its input_tokens is of int and cannot be written"),
        ("'Yes', cost_usd=float('nan')", "its cost_usd is nan"),
        ("'Yes', cost_usd=10**400", "its cost_usd is 1000"),
        ("'Yes', cost_usd=-(10**400)", "its cost_usd is -1000"),
        ("'Yes', cached=None", "its cached or filtered is neither True nor False"),
        ("'Yes', notes=[1]", "its notes are [1], and no dict"),
    ],
)
def test_a_reply_that_is_amiss_is_a_failed_answer(tmp_path: Path, reply: str, problem: str) -> None:
    body = f"async def ask(self, question):\n    return Reply({reply})"
    with seen(write_model(tmp_path, body)), pytest.raises(ModelFailed) as caught:
        ask(load_here("mine/x"))
    assert f"mine/x failed: {problem}" in str(caught.value)


def test_numbers_of_other_libraries_become_plain(tmp_path: Path) -> None:
    body = (
        "async def ask(self, question):\n    import numpy as np\n"
        "    return Reply('Yes', p_yes=np.float32(0.5), output_tokens=np.int64(3))"
    )
    with seen(write_model(tmp_path, body)):
        reply = ask(load_here("mine/x"))
    assert [type(each) for each in (reply.p_yes, reply.output_tokens)] == [float, int]


def test_a_vector_of_a_package_is_never_our_encoders(tmp_path: Path) -> None:
    body = (
        "capabilities = Capabilities(in_process=True, costs=False, encoder='conse')\n"
        "async def ask(self, question):\n"
        "    return Reply('Yes', image_vector=(1.0,) * 384)"
    )
    with seen(write_model(tmp_path, body)):
        model = load_here("mine/x")
        assert model.capabilities.encoder is None
        assert find_capabilities("mine/x").encoder is None
        assert ask(model).image_vector is None


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("fingerprint = 12", "its fingerprint is a int, and no str"),
        ("fingerprint = property(lambda self: 1 / 0)", "its fingerprint fails with ZeroDivision"),
        ("settings = {'a': object()}", "its settings fails with TypeError"),
        ("settings = property(lambda self: sys.exit(0))", "its settings fails with SystemExit"),
        ("at_once = 0", "its at_once is 0, and no number from 1"),
        ("about = 3", "its about is 3"),
        ("def __init__(self, name):\n    sys.exit(0)", "making it fails with SystemExit: 0"),
        ("def __init__(self, name):\n    pass", "making it fails with AttributeError"),
    ],
)
def test_a_model_that_cannot_be_told_is_refused_before_it_is_asked(
    tmp_path: Path, body: str, problem: str
) -> None:
    with seen(write_model(tmp_path, body)), pytest.raises(PlugInBroken) as caught:
        load_here("mine/x")
    assert problem in str(caught.value)


@pytest.mark.parametrize("kind", ["def likes", "async def ask"])
def test_a_model_that_ends_the_process_has_failed(tmp_path: Path, kind: str) -> None:
    with seen(write_model(tmp_path, f"{kind}(self, question):\n    sys.exit(0)")):
        model = load_here("mine/x")
        with pytest.raises(ModelFailed, match="SystemExit: 0"):
            ask(model)


def test_a_model_that_cannot_be_closed_is_a_remark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = "async def close(self):\n    raise OSError('stuck')"
    with seen(write_model(tmp_path, body)):
        asyncio.run(load_here("mine/x").close())
    told = "mine/x was not closed: OSError: stuck (mine.py, line 7).\n"
    assert capsys.readouterr() == ("", told)


def test_what_is_printed_while_it_answers_is_a_remark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with seen(write_model(tmp_path, "def likes(self, question):\n    print('hm')\n    return 1")):
        echo(ask(load_here("mine/x")).text)
    assert capsys.readouterr() == ("Yes\n", "hm\n")


def test_a_question_that_is_never_answered_holds_nobody_up() -> None:
    release = Event()

    class Silent(CustomModel):
        def likes(self, question: Question) -> float:
            release.wait(15)
            return 0.5

    async def give_up() -> None:
        async with asyncio.timeout(0.1):
            await Silent("silent/x").ask(QUESTION)

    start = perf_counter()
    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    assert perf_counter() - start < 10
    release.set()
