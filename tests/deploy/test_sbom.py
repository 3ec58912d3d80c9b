"""The list of what is installed is CycloneDX, whole, and says of each part which licence it has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from deploy.sbom import find_packages, list_components, read_parts, write_lists
from tests.test_licences import installed

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    made, notices = write_lists(tmp_path_factory.mktemp("lists"))
    return made, notices


def test_it_is_valid_by_the_official_schema(lists: tuple[Path, Path]) -> None:
    schema = pytest.importorskip("cyclonedx.schema", reason="make setup installs it")
    validation = pytest.importorskip("cyclonedx.validation.json", reason="make setup installs it")
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    text = lists[0].read_text("utf-8")
    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"library"', '"thing"')) is not None


def test_every_package_that_feedsway_needs_is_listed() -> None:
    packages = find_packages()
    assert set(packages) >= {"feedsway", "torch", "pyautogui", "chromadb", "imageio-ffmpeg"}
    assert len(packages) > 100
    assert {"numpy", "mouseinfo", "huggingface-hub"} <= installed() & set(packages)
    assert "websockets" in packages  # of an extra that a need asks for
    assert "pytest" not in packages


def test_each_has_a_version_and_a_place_in_the_graph() -> None:
    made = list_components(find_packages())
    references = {one["bom-ref"] for one in made["components"]}
    references.add(made["metadata"]["component"]["bom-ref"])
    assert len(references) == len(made["components"]) + 1
    for one in made["dependencies"]:
        assert {one["ref"], *one["dependsOn"]} <= references
    nameless = [one["name"] for one in made["components"] if "licenses" not in one]
    assert len(nameless) < 6


def test_it_is_made_alike_twice_and_tells_of_no_machine(lists: tuple[Path, Path]) -> None:
    text = lists[0].read_text("utf-8")
    assert json.loads(text) == list_components(find_packages())
    assert str(ROOT) not in text + lists[1].read_text("utf-8")


def test_weights_are_those_of_the_documentation() -> None:
    page = (ROOT / "docs" / "models.md").read_text("utf-8")
    table = page[page.index("## Weights and data") :]
    rows = re.findall(r"^\| (.+?) \| `([\w-]+)`.*? \| (.+?) \|$", table, re.MULTILINE)
    assert len(rows) > 5
    parts = {(one["name"].partition(",")[0], one["licence"]) for one in read_parts()}
    wanted = {
        (name.partition(",")[0], licence.partition(" (")[0])
        for name, package, licence in rows
        if name != "its architecture"
    }
    assert wanted <= parts


def test_notices_hold_texts_and_name_who_has_none(lists: tuple[Path, Path]) -> None:
    text = lists[1].read_text("utf-8")
    assert "Permission is hereby granted" in text
    assert "GNU GENERAL PUBLIC LICENSE" in text or "GPLv3" in text
    silent = text.rpartition("Packages that carry no licence text\n")[2].splitlines()
    assert any(line.startswith("MouseInfo") for line in silent)
    assert "CenterFace" in text
    for name, package in find_packages().items():
        assert f"{package.metadata['Name']} {package.version}" in text, name
