"""Prints the studies of a data folder: ``python -m agent study --list``."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.terminal.command_words import spell_commands
from store.terminal.printing import count_of, echo

if TYPE_CHECKING:
    from agent.study.study_list import ListedStudy
    from store.runs.data_folder import DataFolder


def print_studies(data: DataFolder, where: str, *, as_json: bool) -> None:
    """Print the studies; ``where`` is the option that names the data folder, as it is typed."""
    from agent.study.study_list import list_studies

    found = list_studies(data)
    if as_json:
        echo(json.dumps([_as_fields(one) for one in found], indent=2))
        return
    for one in found:
        echo(_line(one))
        for line in _details(one, data.root, where):
            echo(f"  {spell_commands(line)}")
    begin = "Type: python -m agent study --example > study.toml"
    told = count_of(len(found), "study") if found else f"There is no study in {data.root} yet"
    echo(f"{told}." if found else f"{told}. {begin}", err=True)


def _line(one: ListedStudy) -> str:
    begun = f", begun {one.started:%Y-%m-%d %H:%M} UTC" if one.started else ""
    cells = "" if one.state == "damaged" else f", {one.done} of {count_of(one.cells, 'run')}"
    return f"{one.name}  {one.state}{cells}{begun}"


def _details(one: ListedStudy, root: Path, where: str) -> list[str]:
    if one.state == "damaged":
        return [one.problem]
    report = f"Report: {one.report}" if one.report else "No report yet."
    if one.state == "complete":
        report += "" if one.report else f" Type: python -m analysis report {one.name}{where}"
    elif one.state in ("not begun", "interrupted"):
        file = shlex.quote(str(root / "studies" / one.name / "study.toml"))
        report += f" To go on, type: python -m agent study {file}{where}"
    return [one.question, report]


def _as_fields(one: ListedStudy) -> dict[str, Any]:
    return {
        "name": one.name,
        "state": one.state,
        "cells": one.cells,
        "done": one.done,
        "question": one.question or None,
        "started": one.started.isoformat() if one.started else None,
        "report": str(one.report) if one.report else None,
        "problem": one.problem or None,
    }
