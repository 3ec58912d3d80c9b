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


_DECLARED = ("store/untrusted/declared_files.py", "store/untrusted/size_limits.py")
TARGETS = (
    Target("toml", _DECLARED[1:], _read_toml, (BadToml,), "toml"),
    Target(
        "watch_file",
        ("agent/daemon/config/watch_file.py", *_DECLARED),
        _read_watch,
        (BadWatch,),
        "toml",
    ),
    Target(
        "study_file", ("agent/study/study_file.py", *_DECLARED), _read_study, (BadStudy,), "toml"
    ),
    Target(
        "adapter_file",
        ("agent/platforms/adapter_file.py", *_DECLARED),
        _read_adapter,
        (BadAdapter,),
        "toml",
    ),
    Target("config_file", ("store/terminal/config_file.py",), _read_config, (UsageError,), "toml"),
    Target(
        "persona",
        ("personas/library.py", "personas/persona.py"),
        _read_persona,
        (PersonaError,),
        "toml",
    ),
    Target("persona_chat", ("personas/library.py",), _read_dialogues, (PersonaError,), "text"),
)
