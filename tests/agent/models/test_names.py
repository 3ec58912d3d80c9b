"""Models are found by name; a wrong name says what to type, and nothing heavy is loaded for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import cli
from agent.errors import BadConfig, UnknownName, UserError
from agent.models import check, check_access, check_persona, known, load, scripted, sent_to
from agent.models.base import Question
from agent.models.providers import SERVED_PROVIDERS
from personas.strategies import build
from tests.agent.models.made_models import GUITARIST, frame


@pytest.mark.parametrize("name", [name for name in known() if "…" not in name and "?" not in name])
def test_known_names_pass_the_check(name: str) -> None:
    check(name if name != "scripted/keywords" else f"{name}?words=dog")


def test_patterns_stand_for_providers() -> None:
    assert {f"{provider.name}/…" for provider in SERVED_PROVIDERS} < set(known())
    check("openai/gpt-4o")
    check("openai-api/dashscope/qwen-vl-plus")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "Type: --model embedded/conse"),
        ("embedded/cones", "embedded/conse"),
        ("scripted/maybe", "Type: --model scripted/coin"),
        ("gpt-4o", "Type: --model openai/gpt-4o$"),
        ("claude-sonnet-4-5", "Type: --model anthropic/claude-sonnet-4-5$"),
        ("gemini-2.5-pro", "Type: --model google/gemini-2.5-pro$"),
        ("nobody-knows", "written PROVIDER/NAME, as in openai/gpt-4o"),
        ("openai", "Type: --model"),
        ("openai/", "Type: --model"),
        ("opneai/gpt-4o", "openai"),
        ("hf/some/text-model", "Type: --model"),
        ("scripted/coin?p=2", "a share from 0 to 1"),
        ("scripted/coin?p=nan", "a share from 0 to 1"),
        ("scripted/coin?q=0.5", "has no setting 'q'"),
        ("scripted/keywords", "Type: --model 'scripted/keywords\\?words="),
        ("scripted/yes?latency=-1", "takes seconds"),
        ("scripted/unreadable?then=maybe", "takes yes or no"),
    ],
)
def test_a_wrong_name_says_what_to_type(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        check(name)
    assert "Type: " in str(caught.value)
    with pytest.raises((UnknownName, BadConfig)):
        load(name)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("openai/gpt-4o", "OPENAI_API_KEY"),
        ("google/gemini-2.5-pro", "GOOGLE_API_KEY"),
        ("openrouter/maker/model", "OPENROUTER_API_KEY"),
        ("openai-api/my-service/model", "MY_SERVICE_API_KEY"),
    ],
)
def test_a_key_that_is_not_set_is_told_with_what_to_type(name: str, key: str) -> None:
    with pytest.raises(BadConfig, match=rf"before its key is set\. Type: export {key}=…$"):
        check_access(name, {})
    with pytest.raises(BadConfig):
        check_access(name, {key: ""})
    check_access(name, {key: "secret"})


@pytest.mark.parametrize(
    "name",
    ["embedded/conse", "scripted/yes", "hfvlm/a/b", "vllm/a", "ollama/x", "openai/azure/x"],
)
def test_what_needs_no_key_or_another_is_not_refused(name: str) -> None:
    check_access(name, {})


def test_a_run_without_its_key_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    words = ["run", "--persona", "p12", "--model", "openai/gpt-4o", "--data", str(tmp_path / "d")]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2
    assert done.stderr.endswith("Type: export OPENAI_API_KEY=…\n")
    assert not (tmp_path / "d").exists()


def test_a_run_with_a_bare_name_is_told_the_whole_one(tmp_path: Path) -> None:
    words = ["run", "--persona", "p12", "--model", "gpt-4o", "--data", str(tmp_path / "d")]
    told = CliRunner().invoke(cli, words)
    assert told.exit_code == 2
    assert told.stderr.endswith("Type: --model openai/gpt-4o\n")
    assert not (tmp_path / "d").exists()


GERMAN = """id = "hanna"
traits = ["Ich koche gern.", "Mein Garten ist voller Rosen.", "Ich singe im Chor und spiele."]
"""


def test_the_english_viewer_refuses_traits_that_it_cannot_read(tmp_path: Path) -> None:
    file = tmp_path / "hanna.toml"
    file.write_text(GERMAN, encoding="utf-8")
    words = ["run", "--persona", str(file), "--data", str(tmp_path / "d")]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2
    assert "embedded/conse reads English only, and the traits of hanna" in done.stderr
    assert done.stderr.endswith("type: --model openai/gpt-4o\n")
    assert not (tmp_path / "d").exists()
    with pytest.raises(BadConfig):
        check_persona("embedded/conse", "hanna", ["Ich singe im Chor und mein Hund bellt."])
    check_persona("openai/gpt-4o", "hanna", ["Ich singe im Chor."])


def test_checking_a_name_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from agent.models import check, known, sent_to\n"
        "known(), check('embedded/conse'), check('openai/gpt-4o'), check('scripted/yes')\n"
        "check('hfvlm/a/b'), sent_to('openai/gpt-4o')\n"
        "heavy = {'torch', 'inspect_ai', 'genai_prices', 'openai', 'transformers', 'timm',\n"
        "         'rapidocr_onnxruntime'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "whom"),
    [
        ("openai/gpt-4o", "sent to openai,"),
        ("openai-api/dashscope/qwen-vl-plus", "sent to dashscope,"),
        ("vllm/a/b", "sent to vllm,"),
    ],
)
def test_who_gets_the_frames_is_said(name: str, whom: str) -> None:
    told = sent_to(name)
    assert told is not None
    assert "strangers" in told
    assert whom in told


@pytest.mark.parametrize("name", ["embedded/conse", "scripted/yes", "hfvlm/a/b"])
def test_what_runs_here_sends_nothing(name: str) -> None:
    assert sent_to(name) is None


# Scripts


def _likes(model: scripted.ScriptedModel, number: int) -> bool:
    question = Question(build("simple", GUITARIST), (number.to_bytes(4),))
    return model._text(question) == "Yes"


def test_a_coin_likes_its_share_and_never_changes_its_mind() -> None:
    coin = scripted.load("scripted/coin?p=0.3&seed=1")
    liked = [_likes(coin, number) for number in range(2000)]

    assert liked == [_likes(coin, number) for number in range(2000)]
    # 3.9 standard deviations: a fair coin of 0.3 fails once in ten thousand
    assert sum(liked) == pytest.approx(600, abs=80)
    other = scripted.load("scripted/coin?p=0.3&seed=2")
    assert liked != [_likes(other, number) for number in range(2000)]


@pytest.mark.parametrize(
    ("caption", "liked"),
    [("My HORSE and I", True), ("#horses", True), ("A quiet lake", False), (None, False)],
)
def test_keywords_are_looked_for_in_the_caption(caption: str | None, liked: bool) -> None:
    model = scripted.load("scripted/keywords?words=horse,guitar")
    question = Question(build("simple", GUITARIST), (frame(),), caption)
    assert (model._text(question) == "Yes") is liked
