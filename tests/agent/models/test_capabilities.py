"""What models, drivers and platforms can do is declared; nothing guesses it from a name."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from inspect_ai.model import GenerateConfig, ModelOutput, ModelUsage, get_model

from agent import platforms
from agent.drivers import DRIVERS
from agent.drivers.desktop.driver import DesktopDriver
from agent.errors import BadConfig, MissingExtra, ModelFailed
from agent.evaluation import pair_prompts as prompts
from agent.models import (
    check_persona,
    check_revision,
    find_capabilities,
    load,
    local_vlm,
    prices,
    sent_to,
)
from agent.models.api import SETTINGS, ServedModel
from agent.models.base import Model, Question, Reply
from agent.models.local_server import lease_for
from agent.models.providers import PROVIDERS, SERVED_PROVIDERS, ModelProvider, parse_model_name
from agent.run_config import RunConfig
from personas.strategies import build
from store.runs.recorded_model_names import INVENTING, REPLAY
from tests.agent.models import tiny
from tests.agent.models.made_models import GUITARIST, frame

# inspect_ai calls tenacity in a way that tenacity 9.2 has deprecated; it is theirs to mend
pytestmark = pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning")

# Nobody guesses

ROOT = Path(__file__).parents[3]
LOOKUPS = {
    "agent/models/providers.py",
    "store/runs/recorded_model_names.py",
    "store/encoders/registry.py",
}
"""Where names are looked up, which is the one place to take them apart."""
FAKE_SITES = "agent/playground/"
"""Serves each site's own pages, by its name."""
NAMES = {*PROVIDERS, *platforms.NAMES, *DRIVERS, "conse", "open_clip"}
ABLE = re.compile(r"(model|judge|viewer|encoder|driver|platform|editor|checker|describer)s?$")
"""How the values are called that can do one thing or another."""
NAMED = re.compile(r"(model|judge|viewer|encoder|driver|platform|maker|family)(\.name)?$")


def find_guesses(source: str) -> list[str]:
    """Lines that guess from a name what something can do."""
    tree = ast.parse(source)
    told = {
        part
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
        if isinstance(part, ast.Constant)
    }
    return [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, (ast.expr, ast.pattern)) and node not in told and _guesses(node)
    ]


def _guesses(node: ast.expr | ast.pattern) -> bool:
    if isinstance(node, ast.Compare):
        return any(map(_is_name, [node.left, *node.comparators]))
    if isinstance(node, ast.MatchValue):
        return _is_name(node.value)
    if isinstance(node, ast.Constant):
        return node.value in {f"{provider}/" for provider in PROVIDERS}
    if not isinstance(node, ast.Call) or len(node.args) == 0:
        return False
    if isinstance(node.func, ast.Name):
        asks = node.func.id in ("getattr", "hasattr") and isinstance(node.args[1], ast.Constant)
        return asks and ABLE.search(ast.unparse(node.args[0])) is not None
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("partition", "split"):
        by_slash = isinstance(node.args[0], ast.Constant) and node.args[0].value == "/"
        return by_slash and NAMED.search(ast.unparse(node.func.value)) is not None
    return False


def _is_name(node: ast.expr) -> bool:
    """Whether a value, or one of several, is the name of something that can do things."""
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return any(map(_is_name, node.elts))
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return False
    first, _, rest = node.value.partition("/")
    return node.value in NAMES or (first in PROVIDERS and bool(rest))


@pytest.mark.parametrize(
    "source",
    [
        'model.startswith("scripted/")',
        'model.startswith(("embedded/", "scripted/"))',
        'free = ("hfvlm/", "other")',
        '"embedded/" in name',
        'name == "embedded/conse"',
        'name.partition("/")[0] in ("embedded", "hfvlm")',
        'started.model.partition("/")',
        'self._model.name.split("/")',
        'platform.name == "replay"',
        '"playground" in declared.platforms',
        'config.driver != "desktop"',
        'match family:\n    case "vllm":\n        pass',
        'encoder == "conse"',
        'getattr(judge.model, "about", None)',
        'getattr(self._model, "settings", {})',
        'hasattr(driver, "like")',
    ],
)
def test_a_guess_is_found(source: str) -> None:
    assert find_guesses(source)


@pytest.mark.parametrize(
    "source",
    [
        'load("embedded/conse")',
        'f"scripted/{script}"',
        'getattr(config, "quantization_config", None)',
        "getattr(video, name)",
        "model.capabilities.looks",
        'url.partition("/")',
    ],
)
def test_what_is_no_guess_is_let_be(source: str) -> None:
    assert not find_guesses(source)


def test_nothing_guesses_from_a_name_what_a_thing_can_do() -> None:
    paths = [
        path for room in ("agent", "analysis", "store") for path in (ROOT / room).rglob("*.py")
    ]
    names = {path.relative_to(ROOT).as_posix(): path for path in paths}
    assert len(names) > 200
    assert names.keys() >= LOOKUPS
    found = {
        name: guesses
        for name, path in names.items()
        if name not in LOOKUPS and not name.startswith(FAKE_SITES)
        if (guesses := find_guesses(path.read_text(encoding="utf-8")))
    }
    assert not found


# What is declared is so


def served() -> ServedModel:
    def answer(*_: Any) -> ModelOutput:
        made = ModelOutput.from_content("mockllm/model", "Yes")
        made.usage = ModelUsage(input_tokens=900, output_tokens=2, total_tokens=902)
        return made

    config = GenerateConfig(**SETTINGS)
    model = get_model("mockllm/model", config=config, memoize=False, custom_outputs=answer)
    return ServedModel("mockllm/model", model, config)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    folder = tiny.save_llava(tmp_path_factory.mktemp("llava"))
    loaded: list[Model] = [
        load("embedded/conse", device="cpu"),
        load("scripted/editor"),
        load(f"hfvlm/{folder}", device="cpu"),
        served(),
    ]
    return {parse_model_name(model.name).provider.name: model for model in loaded}


each_kind = pytest.mark.parametrize("kind", ["embedded", "scripted", "hfvlm", "mockllm"])
each_provider = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS.keys())


def ask(model: Model, question: Question) -> Reply:
    return asyncio.run(model.ask(question))


def test_a_model_of_each_class_is_asked(models: dict[str, Model]) -> None:
    assert {type(model).__name__ for model in models.values()} == {
        "ConseViewer",
        "HfVlm",
        "ScriptedModel",
        "ServedModel",
    }


@each_kind
def test_a_model_declares_what_is_known_of_it_by_its_name(
    models: dict[str, Model], kind: str
) -> None:
    assert models[kind].capabilities is find_capabilities(models[kind].name)


@each_kind
def test_what_uses_tokens_tells_them_and_what_embeds_frames_hands_the_vector_on(
    models: dict[str, Model], kind: str
) -> None:
    can = models[kind].capabilities
    said = ask(models[kind], Question(build("simple", GUITARIST), (frame(),), "A song"))
    assert (said.input_tokens is not None) == can.uses_tokens
    assert (said.image_vector is not None) == (can.encoder is not None)


@each_kind
def test_what_looks_needs_a_picture(models: dict[str, Model], kind: str) -> None:
    question = Question(build("simple", GUITARIST), (b"no picture",), "A song")
    try:
        ask(models[kind], question)
        looked = False
    except ModelFailed:
        looked = True
    assert looked == models[kind].capabilities.looks


@each_kind
def test_what_has_no_taste_of_its_own_is_not_asked_for_it(
    models: dict[str, Model], kind: str
) -> None:
    assert answers(models[kind], Question(build("plain", None), (frame(),))) == (
        models[kind].capabilities.own_taste
    )


@each_kind
def test_what_writes_text_describes_a_frame_to_nobody(
    models: dict[str, Model], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_vlm, "_LONG", 12)
    assert answers(models[kind], Question(prompts.describe(), (frame(),))) == (
        models[kind].capabilities.writes_text
    )


def answers(model: Model, question: Question) -> bool:
    """Whether a model can be asked a question at all."""
    try:
        ask(model, question)
    except BadConfig:
        return False
    return True


@each_provider
def test_what_costs_nothing_has_that_price(provider: ModelProvider) -> None:
    price = prices.find(f"{provider.name}/a")
    free = price is not None and price.cost(10**6, 10**6) == 0
    assert free == (not provider.capabilities.costs)


@each_provider
def test_what_runs_here_sends_nothing_and_tells_its_own_revision(provider: ModelProvider) -> None:
    name, here = f"{provider.name}/a", provider.capabilities.in_process
    assert (sent_to(name) is None) == here
    if here:
        with pytest.raises(BadConfig, match="revision is read from its files"):
            check_revision(name, "2026-01-01")
    else:
        check_revision(name, "2026-01-01")
    assert here == (provider not in SERVED_PROVIDERS)


@each_provider
def test_what_reads_english_only_refuses_other_traits(provider: ModelProvider) -> None:
    traits = ["Ich singe im Chor und mein Hund bellt."]
    if provider.capabilities.english_only:
        with pytest.raises(BadConfig, match="reads English only"):
            check_persona(f"{provider.name}/a", "hanna", traits)
    else:
        check_persona(f"{provider.name}/a", "hanna", traits)


@each_provider
def test_a_server_is_started_where_it_is_declared(
    provider: ModelProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # its program is not there
    for setting in ("VLLM_BASE_URL", "SGLANG_BASE_URL"):
        monkeypatch.delenv(setting, raising=False)
    name = f"{provider.name}/a"
    if provider.capabilities.starts_server:
        with pytest.raises(MissingExtra):
            lease_for(name)
    elif provider.server_setting is not None:
        with pytest.raises(BadConfig, match=f"export {provider.server_setting}="):
            lease_for(name)
    else:
        assert lease_for(name) is None


def test_a_model_that_is_no_more_is_taken_for_a_served_one() -> None:
    for name in ("", "recorded", "nobody/knows/it", "gpt-4o"):
        assert find_capabilities(name) == PROVIDERS["openai"].capabilities


def test_who_makes_up_what_it_sees_is_known_to_the_store() -> None:
    assert {name for name, each in PROVIDERS.items() if not each.capabilities.looks} == INVENTING


def test_every_driver_that_can_be_asked_for_declares_what_it_can() -> None:
    assert set(DRIVERS) == set(get_args(RunConfig.model_fields["driver"].annotation))
    liked = asyncio.run(DesktopDriver(None).like())
    assert liked == DRIVERS["desktop"].confirms_likes


def test_one_platform_serves_itself_and_one_shows_a_recorded_run() -> None:
    loaded = [platforms.load_platform(name) for name in platforms.NAMES]
    assert [each.name for each in loaded if each.own_site] == ["playground"]
    assert [each.name for each in loaded if each.recorded] == [REPLAY]
    assert not any(each.live for each in loaded if each.own_site or each.recorded)
