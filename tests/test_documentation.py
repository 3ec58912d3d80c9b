"""The pages a person reads: sentences of bearable length, links that lead somewhere, a glossary."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
LONGEST = 35
"""Words of the longest sentence that a reader should meet."""
FEW = 10
"""Longer sentences that may stand in all pages together."""
MEANING = 20
"""Words of a meaning in the glossary."""

FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
MARKER = re.compile(r"(?:[-*+]|\d+\.|>)\s+")
END = re.compile(r"(?<=[.!?])[\"')*_\]]*\s+")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def paragraphs(text: str) -> Iterator[str]:
    """Prose of a page, one list item or paragraph at a time; no code, table or heading."""
    lines = COMMENT.sub("", FENCE.sub(".\n", text)).splitlines()
    block: list[str] = []
    for line in [*(line.strip() for line in lines), ""]:
        marker = MARKER.match(line)
        if block and (not line or marker or line.startswith(("#", "|"))):
            yield " ".join(block)
            block = []
        if line and not line.startswith(("#", "|")):
            block.append(line[marker.end() :] if marker else line)


def sentences(text: str) -> list[str]:
    """Sentences of a page; code in a line counts as a word, the target of a link as none."""
    plain = (LINK.sub("]", re.sub(r"`[^`]*`", "CODE", block)) for block in paragraphs(text))
    return [sentence for block in plain for sentence in END.split(block)]


def long_sentences(text: str) -> list[str]:
    return [sentence for sentence in sentences(text) if len(sentence.split()) > LONGEST]


def anchors(page: Path) -> set[str]:
    """Anchors that a site gives to the headings of a page."""
    text = FENCE.sub("", page.read_text("utf-8"))
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        shown = LINK.sub("]", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        repeated = sum(1 for each in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", each))
        found.add(f"{slug}-{repeated}" if repeated else slug)
    return found


def links(page: Path) -> list[str]:
    """Targets of a page's links that lie in this repository."""
    found: list[str] = LINK.findall(FENCE.sub("", page.read_text("utf-8")))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def leads_somewhere(page: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    place = page.parent / name if name else page
    return place.exists() and (not anchor or anchor in anchors(place))


def glossary() -> list[list[str]]:
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    table = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return table[1:]


@pytest.mark.parametrize(("words", "long"), [(LONGEST, 0), (LONGEST + 1, 1)])
@pytest.mark.parametrize("page", ["{}", "- One. {}", "# Head\n\n{}\n\n```\ncode\n```", "> {} Two."])
def test_a_sentence_is_counted_from_36_words_on(words: int, long: int, page: str) -> None:
    sentence = " ".join(["word"] * words) + "."
    assert len(long_sentences(page.format(sentence))) == long


def test_code_and_tables_are_no_sentences() -> None:
    many = " ".join(["word"] * 2 * LONGEST)
    assert long_sentences(f"```\n{many}\n```\n\n| {many} |\n\n<!-- {many} -->\n\nA `{many}`.") == []


def test_sentences_can_be_read_at_once() -> None:
    texts = {name: page.read_text("utf-8") for name, page in zip(NAMES, PAGES, strict=True)}
    assert sum(len(sentences(text)) for text in texts.values()) > 1000
    found = {name: long_sentences(text) for name, text in texts.items() if long_sentences(text)}
    assert sum(map(len, found.values())) <= FEW, found


def test_there_are_links_to_check() -> None:
    found = [target for page in PAGES for target in links(page)]
    assert len(found) > 50
    assert len([target for target in found if "#" in target]) > 5


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    assert [target for target in links(page) if not leads_somewhere(page, target)] == []


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# `A_b` and c\n\n## Twice\n\n## Twice\n\n[x](page.md#a_b-and-c)\n", "utf-8")
    assert anchors(page) == {"a_b-and-c", "twice", "twice-1"}
    assert links(page) == ["page.md#a_b-and-c"]
    assert leads_somewhere(page, "page.md#a_b-and-c")
    assert leads_somewhere(page, "#twice-1")
    assert not leads_somewhere(page, "#thrice")
    assert not leads_somewhere(page, "other.md")


def test_the_glossary_has_each_word_once_and_in_order() -> None:
    words = [row[0].replace("`", "").casefold() for row in glossary()]
    assert len(words) > 50
    assert words == sorted(set(words))


def test_a_row_of_the_glossary_is_whole_short_and_sourced() -> None:
    for row in glossary():
        assert len(row) == 4, row
        assert all(row), row
        assert len(row[2].split()) <= MEANING, row
        missing = [
            path for path in re.findall(r"`(\w+/[^`]+)`", row[3]) if not (ROOT / path).exists()
        ]
        assert missing == [], row


def test_measurement_names_functions_that_there_are() -> None:
    """``module.function`` of `analysis/`, as the page's tables and brackets name them."""
    text = (ROOT / "docs" / "measurement.md").read_text("utf-8")
    named = re.findall(r"`([a-z_]+)\.(?!csv)([A-Za-z]\w+)[\w.]*`", text)
    assert len(named) > 20
    modules = {path.stem: path.read_text("utf-8") for path in (ROOT / "analysis").rglob("*.py")}
    lacking = [
        f"{module}.{name}"
        for module, name in named
        if not re.search(rf"^(def|class) {name}\b", modules.get(module, ""), re.MULTILINE)
    ]
    assert lacking == []


STRICT = ("--quiet", "--fail-on-warning", "--keep-going", "--nitpicky")
"""Options of the site's builder, as the Makefile has them."""
LOADED = re.compile(
    r"""<(?:script|img|iframe)[^>]+src="(https?:)?//|<link[^>]+href="(https?:)?//"""
)


def build_site(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a folder, with the configuration of this one."""
    pytest.importorskip("sphinx", reason="the site's builder is not installed: make setup")
    places = ["--conf-dir", str(ROOT / "docs"), "--doctree-dir", str(out / "trees")]
    command = [sys.executable, "-m", "sphinx", *STRICT, *places, str(source), str(out / "site")]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)


@pytest.mark.parametrize(
    ("link", "dead"),
    [
        ("docs/page.md#a-part", False),
        ("agent/code.py", False),
        ("docs/page.md#no-part", True),
        ("docs/none.md", True),
        ("agent/none.py", True),
    ],
)
def test_a_dead_link_ends_the_site(tmp_path: Path, link: str, dead: bool) -> None:
    for name, text in {
        "README.md": f"# Start\n\nSee [there]({link}).\n",
        "CHANGELOG.md": "# Changelog\n",
        "docs/page.md": "# Page\n\n## A part\n\nBack to the [start](../README.md#start).\n",
        "docs/decisions/README.md": "# Decisions\n",
        "docs/decisions/0001-one.md": "# One\n",
        "agent/code.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    done = build_site(tmp_path, tmp_path / "build")
    assert (done.returncode != 0) == dead, done.stderr
    assert ("xref_missing" in done.stderr) == dead
    start = (tmp_path / "build" / "site" / "index.html").read_text("utf-8")
    assert "url=README.html" in start


def test_make_builds_the_site_as_strictly() -> None:
    assert " ".join(STRICT) in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.drill
def test_the_site_is_whole_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    for page in (*PAGES, *(ROOT / "docs" / "images").iterdir()):
        place = tmp_path / "source" / page.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(page, place)
    shutil.copyfile(ROOT / "CITATION.cff", tmp_path / "source" / "CITATION.cff")
    done = build_site(tmp_path / "source", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    built = sorted((tmp_path / "site").rglob("*.html"))
    assert len(built) > len(PAGES)
    assert [page.name for page in built if LOADED.search(page.read_text("utf-8"))] == []
