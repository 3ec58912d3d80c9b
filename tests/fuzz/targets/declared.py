"""Doors of what people declare in TOML, and of personas."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from itertools import islice
from pathlib import Path

from click import UsageError
from pydantic import BaseModel

from agent.daemon.config.watch_file import BadWatch, WatchFile
from agent.daemon.schedule.next_due import due_after, upcoming
from agent.platforms.adapter_file import BadAdapter, read_adapter
from agent.run.pacing import Hours
from agent.study.study_file import BadStudy, load_study
from personas.errors import PersonaError
from personas.library import load, read_dialogues, to_toml, write_personas
from personas.persona import is_english
from personas.strategies import build
from store.terminal.config_file import VARIABLE, read_config
from store.untrusted.declared_files import read_declared
from store.untrusted.size_limits import BadToml, parse_toml
from tests.fuzz.guard import Target

_NOW = datetime(2026, 3, 28, 23, tzinfo=UTC)


def _again(made: BaseModel) -> None:
    """What was declared can be kept as JSON, and read again as the same."""
    assert type(made).model_validate_json(made.model_dump_json()) == made


def _written(place: Path, content: bytes) -> Path:
    path = place / "a.toml"
    path.write_bytes(content)
    return path


def _read_toml(content: bytes, _: Path) -> object:
    return re.sub(r"\bnan\b|\binf\b", "0", repr(parse_toml(content)))[:2000]


def _read_watch(content: bytes, place: Path) -> object:
    watch = read_declared(_written(place, content), WatchFile, BadWatch)
    told = []
    for entry in watch.entries:
        due = list(islice(due_after(watch, entry, _NOW), 3))
        assert due == sorted(set(due))
        told += due
        for hours in filter(None, (entry.quiet_hours, entry.between)):
            Hours.parse(hours).hold(time(12))
            Hours.parse(hours).end_after(_NOW)
    return told, upcoming(watch, _NOW, 3)


def _read_study(content: bytes, place: Path) -> object:
    declared = load_study(_written(place, content))
    _again(declared)
    if declared.live.quiet_hours:
        Hours.parse(declared.live.quiet_hours).hold(time(12))
    assert (declared.budget.max_cost or 0) >= 0
    return declared.model_dump(mode="json")


def _read_adapter(content: bytes, place: Path) -> object:
    adapter, mark = read_adapter(_written(place, content))
    hooks = adapter.hooks()
    for pattern in (hooks.url_id, *(wall for each in hooks.walls for wall in each.urls)):
        re.compile(pattern)
    _again(mark)
    assert all(0 <= least <= 1 for least in adapter.expectations().given.values())
    return adapter.platform, hooks.item, mark.version


def _read_config(content: bytes, place: Path) -> object:
    path = _written(place, content)
    told = read_config({VARIABLE: str(path)}, place)
    return {name: one.value for name, one in told.values.items()}


def _read_persona(content: bytes, place: Path) -> object:
    persona = load(_written(place, content))
    again = place / "again.toml"
    again.write_text(to_toml(persona), "utf-8")
    assert load(again) == persona
    is_english(persona.traits)
    for strategy in ("plain", "simple", "isq"):
        build(strategy, persona).user.encode()
    return persona


def _read_dialogues(content: bytes, place: Path) -> object:
    found = read_dialogues(_written(place, content), source="made up")
    (place / "out").mkdir()
    for path, persona in zip(
        write_personas(found.personas[:5], place / "out"), found.personas, strict=False
    ):
        assert load(path) == persona
    return found.repeats, found.unusable, [one.id for one in found.personas[:5]]


_ENTRY = (
    "[[entry]]", "[limits]", "[page]", "[[cap]]", "[hooks]", "name", "every", "cron", "between",
    "quiet_hours", "timezone", "deadline", "budget_usd", "study", "run", "seed", "parallel", "per_day",
    'every = "4m"', 'every = "999999999999d"', 'cron = "0 0 29 2 *"', 'cron = "*/7 * * * mon-fri"',
    'cron = "61 * * * *"', 'between = "10:00Z-11:00"', 'between = "24:00-25:00"', 'between = "10:00-10:00"',
    'timezone = "America"', 'timezone = "../etc"', 'timezone = "\\u0000"', 'timezone = "Asia/Gaza"',
    'between = "10:00+01:00-11:00+01:00"', 'cron = "@daily"', 'cron = "0 0 L * *"', 'cron = "0 0 1-40 * *"',
)  # fmt: skip
_STUDY = (
    "[matrix]", "[windows]", "[site]", "[frames]", "[live]", "[pace]", "[test]", "[rejudge]", "[budget]",
    "[adapters]", '[model_settings."openai/gpt-4o"]', "temperature", "personas", "arms", "replicates",
    "others", "max_cost", "seed", "gain", "floor_s", "alpha", "stay_s", "[dwell]", "before", "sides",
    'arms = ["treatment", "yoked"]', 'quiet_hours = "10:00Z-11:00"', 'looks = "replicates"', "max_tokens",
)  # fmt: skip
_ADAPTER = (
    "[feed]", "[item]", "[id]", "[move]", "[like]", "[ad]", "[[wall]]", "[page.author]", "[given.likes]",
    "[share.ad]", "selectors", "pattern", "url", "hosts", "seen", "attributes", "version", "date",
    'url = "a{99999999999999999999}"', 'url = "(?i"', 'url = "(a+)+$"', 'urls = ["(?P<a>x)(?P=a)"]', "least",
    'texts = [{selector = "a", says = "("}]', "[feed.renamed]", 'hosts = ["tiktok.com"]',
)  # fmt: skip
_DECLARED = ("store/untrusted/declared_files.py", "store/untrusted/size_limits.py")
TARGETS = (
    Target("toml", _DECLARED[1:], _read_toml, (BadToml,), "toml", ("a.b.c", "[a]", "[[a]]", "'''", '"""')),
    Target("watch_file", ("agent/daemon/config/watch_file.py", *_DECLARED), _read_watch, (BadWatch,),
           "toml", _ENTRY),
    Target("study_file", ("agent/study/study_file.py", *_DECLARED), _read_study, (BadStudy,), "toml",
           _STUDY),
    Target("adapter_file", ("agent/platforms/adapter_file.py", *_DECLARED), _read_adapter, (BadAdapter,),
           "toml", _ADAPTER),
    Target("config_file", ("store/terminal/config_file.py",), _read_config, (UsageError,), "toml",
           ("data", "index", "encoder", "browser", "headed", "model", "max-cost", "max-tokens", "per-day",
            "pace", "quiet-hours", "timezone", 'api_key = "sk-aaaaaaaaaaaaaaaaaaaa"', 'data = "~nobody/x"')),
    Target("persona", ("personas/library.py", "personas/persona.py"), _read_persona, (PersonaError,),
           "toml", ("id", "traits", "values", "themes", "source", "licence", 'traits = ["I a.", "I b.", "I c."]')),
    Target("persona_chat", ("personas/library.py",), _read_dialogues, (PersonaError,), "text",
           ("1 your persona: i like to ski.\n", "2 partner's persona: i have two dogs.\n", "1 ", "\n",
            "3 hello , how are you ?\tfine\n", "\x1f", "\u2028")),
)  # fmt: skip
