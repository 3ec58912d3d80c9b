"""Adapter files: each site has one, a wrong one is refused with its line, a newer one mends."""

from __future__ import annotations

import hashlib
import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent import platforms
from agent.cli import cli
from agent.daemon.config.jobs import resolve_entry
from agent.daemon.config.watch_file import WatchEntry
from agent.doctor.platform import list_selectors
from agent.errors import BadConfig
from agent.platforms import adapter_file, feed_items, load_platform
from agent.platforms.adapter_file import BadAdapter
from agent.run.site_canary import make_canary_record
from agent.run_config import RunConfig
from agent.study.conductor import Study, configure_cell
from agent.study.frozen_inputs import FrozenStudy
from agent.study.matrix import draw
from agent.study.study_file import BadStudy, load_study
from personas.library import find
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from tests.agent.platforms.simulated_walks import SilentChange, walk
from tests.agent.platforms.test_canary import failing
from tests.e2e.commands import feedsway

SITES = ("tiktok", "youtube", "instagram")
FOLDER = Path(platforms.__file__).parent


def changed(tmp_path: Path, site: str, *changes: tuple[str, str]) -> Path:
    """Return a copy of a site's adapter file in which texts are replaced."""
    text = (FOLDER / f"{site}.toml").read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / f"{site}-new.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("site", SITES)
def test_each_site_has_a_dated_file_with_a_source_for_every_group(site: str) -> None:
    adapter, mark = adapter_file.read_adapter(FOLDER / f"{site}.toml")
    assert load_platform(site).adapter == mark
    assert mark.sha256 == hashlib.sha256((FOLDER / f"{site}.toml").read_bytes()).hexdigest()
    groups = (adapter.feed, adapter.item, adapter.id, adapter.move, *adapter.wall)
    assert all(group.seen for group in groups)
    assert adapter.hooks().walls
    assert "ad" in adapter.expectations().given


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ("version = 1", "version = 0", 3, "version"),
        ("date = 2026-11-23", "date = 20", 4, "date"),
        ("[item]\nseen", "[item]\nseeen", None, "item"),
        (r"'^xgwrapper-\d+-(\d+)$'", r"'^xgwrapper-\d+-\d+$'", None, "needs one group"),
        (r"'^xgwrapper-\d+-(\d+)$'", "'^xgwrapper-((\\d+)$'", None, "no regular expression"),
        ("tiktok-cookie-banner", "x" * 301, None, "at most 300 characters"),
        ("https://www.tiktok.com/foryou", "https://elsewhere.example/", None, "own hosts"),
        ("version = 1", "version = [", 4, "TOML"),
        ('hosts = ["tiktok.com"]', 'hosts = ["com"]', "hosts", "should match pattern"),
        (
            '2026-10-03"\nselectors = [',
            '2026"\nselectors = []\nactive = [',
            None,
            "at least 1 item",
        ),
        ('kind = "login"', 'kind = "log-in"', None, "kind"),
        ("[given.likes]", "[given.like]", "[given.like]", "given.like"),
        ("[share.ad]", "[share.adds]", "[share.adds]", "share.adds"),
        ("[page.caption]", "[page.captoin]", "[page.captoin]", "page.captoin"),
        ("[page.caption]", "[page.likes]", "[page.likes]", "page.likes"),
        ("most = 0.25", "most = 0.25\nleast = 0.9", "least = 0.9", "above most"),
        ("[like]\n", 'ways = ["buton"]\n[like]\n', "ways = ", "'button', 'wheel'"),
        ("[like]\n", 'ways = ["key:ArrwDown"]\n[like]\n', "ways = ", "key:ArrowDown"),
        ("[like]\n", "ways = []\n[like]\n", "ways = ", "at least 1 item"),
        ('["/api/recommend/item_list/"]', "[]", "json_from", "at least 1 item"),
        (
            "# renamed = {",
            'renamed = { a = "isAd", b = "isAd" } # {',
            "renamed",
            "two keys to isAd",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(
    tmp_path: Path, old: str, new: str, line: int | str | None, problem: str
) -> None:
    path = changed(tmp_path, "tiktok", (old, new))
    with pytest.raises(BadAdapter, match=problem) as raised:
        load_platform("tiktok", path)
    if isinstance(line, str):
        assert raised.value.line is not None
        assert path.read_text("utf-8").splitlines()[raised.value.line - 1].startswith(line)
    else:
        assert line is None or raised.value.line == line
    assert "type the same command without --adapter" in str(raised.value)


def test_a_file_of_another_site_and_a_site_without_a_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadAdapter, match="describes youtube, not tiktok"):
        load_platform("tiktok", changed(tmp_path, "youtube"))
    with pytest.raises(BadAdapter, match="cannot be read"):
        load_platform("tiktok", tmp_path / "nowhere.toml")
    for name in ("playground", "replay"):
        with pytest.raises(BadConfig, match="--adapter"):
            load_platform(name, changed(tmp_path, "tiktok"))


def test_only_a_file_of_ones_own_is_part_of_what_tells_runs_apart(tmp_path: Path) -> None:
    def config(path: Path | None) -> RunConfig:
        adapter = load_platform("tiktok", path).adapter
        return RunConfig(persona=find("p12"), platform="tiktok", site=None, adapter=adapter)

    packaged = config(None)
    assert packaged.digest() == packaged.model_copy(update={"adapter": None}).digest()
    newer = config(changed(tmp_path, "tiktok", ("version = 1", "version = 2")))
    assert newer.digest() != packaged.digest()
    told = newer.resolved()["adapter"]
    assert (told["version"], told["own"]) == (2, True)
    assert str(tmp_path) not in json.dumps(newer.resolved())
    at = datetime(2026, 11, 23, tzinfo=UTC)
    records = [make_canary_record("probe", one, [], at) for one in (packaged, newer)]
    assert [record.own_adapter for record in records] == [False, True]


def test_a_file_without_its_site_is_refused_and_the_package_holds_all_three(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["doctor", "--adapter", str(changed(tmp_path, "tiktok"))])
    assert done.exit_code == 2
    assert "--platform NAME" in done.output
    project = tomllib.loads((FOLDER.parents[1] / "pyproject.toml").read_text("utf-8"))
    assert "*.toml" in project["tool"]["setuptools"]["package-data"]["*"]


def test_a_study_and_a_watch_file_name_a_newer_file(tmp_path: Path) -> None:
    path = changed(tmp_path, "tiktok", ("version = 1", "version = 2"))
    file = tmp_path / "study.toml"
    matrix = '[matrix]\npersonas = ["p12", "p05"]\nplatforms = ["tiktok"]\n'
    file.write_text(f'name = "s"\n{matrix}[adapters]\ntiktok = "{path}"\n', "utf-8")
    declared = load_study(file)
    frozen = FrozenStudy(personas={name: find(name) for name in declared.matrix.personas})
    study = Study(declared, tuple(draw(declared, [])), DataFolder(tmp_path), frozen)
    config = configure_cell(study, study.cells[0])
    assert config.adapter is not None
    assert (config.adapter.version, config.adapter.own) == (2, True)
    run = {"persona": "p12", "platform": "tiktok", "account": "a", "adapter": str(path)}
    entry = WatchEntry.model_validate({"name": "e", "every": "1h", "run": run})
    watched = resolve_entry(entry).config
    assert watched is not None
    assert watched.adapter == config.adapter
    file.write_text(file.read_text("utf-8").replace("tiktok =", "youtube ="), "utf-8")
    with pytest.raises(BadStudy, match="adapters names youtube, which no run watches"):
        load_study(file)


@pytest.mark.parametrize(
    ("site", "change", "fails"),
    [
        ("tiktok", "isAd:isPromoted", "ad"),
        ("youtube", "entries:list", "order"),
        ("instagram", "code:shortcode", "order"),
    ],
)
def test_a_newer_file_mends_a_renamed_key_of_the_responses(
    tmp_path: Path, site: str, change: str, fails: str
) -> None:
    old, new = change.split(":")
    path = changed(tmp_path, site, ("[feed]\n", f'[feed]\nrenamed = {{ {new} = "{old}" }}\n'))
    assert failing(walk(site, 7, SilentChange(change))) == {fails}
    mended = load_platform(site, path)
    assert failing(walk(site, 7, SilentChange(change), mended)) == frozenset()


def test_keys_are_renamed_at_any_depth_and_never_over_another() -> None:
    body = {"new": 1, "deep": [{"new": {"new": 2}}, {"new": 3, "old": 4}], "text": "new"}
    told = feed_items.rename_keys(body, {"new": "old"})
    assert told == {"old": 1, "deep": [{"old": {"old": 2}}, {"new": 3, "old": 4}], "text": "new"}
    assert body["deep"] == [{"new": {"new": 2}}, {"new": 3, "old": 4}]
    deep: object = 1
    for _ in range(5000):
        deep = [deep]
    assert feed_items.rename_keys(deep, {"a": "b"}) is not deep


# By the public command, in a real browser

WORDS = ("run", "--persona", "p12", "--platform", "tiktok", "--model", "scripted/coin?p=0.4")
FEW = ("--before", "4", "--after", "0", "--no-index")


def test_a_selector_that_no_browser_reads_is_refused_before_the_feed_opens(tmp_path: Path) -> None:
    path = changed(
        tmp_path, "tiktok", ("article[data-scroll-index]", "article[[data-scroll-index]")
    )
    data = ("--data", str(tmp_path / "data"), "--adapter", str(path))
    done = feedsway("doctor", "--platform", "tiktok", "--videos", "2", "--skin", "plain", *data)
    assert done.returncode == 2, done.stderr
    assert "cannot read 'article[[data-scroll-index]'" in done.stderr
    assert "video 1" not in done.stderr


def test_a_newer_file_mends_a_renamed_hook_of_the_page(tmp_path: Path) -> None:
    path = changed(
        tmp_path,
        "tiktok",
        ("version = 1", "version = 2"),
        ('[id^="xgwrapper-"]', '[id^="wrapper-"]'),
        (r"'^xgwrapper-\d+-(\d+)$'", r"'^wrapper-\d+-(\d+)$'"),
    )
    data = ("--data", str(tmp_path / "data"), "--adapter", str(path))
    done = feedsway(*WORDS, *FEW, "--skin", "strip=id", *data)
    assert done.returncode == 0, done.stderr
    (ledger,) = DataFolder(tmp_path / "data").ledgers()
    run = read(ledger)
    assert {step.video.sources["caption"] for step in run.steps} == {"inline"}
    told = run.started.config["adapter"]
    assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (told["version"], told["own"], "file" in told) == (2, True, False)


@pytest.mark.parametrize("site", SITES)
def test_a_probe_counts_every_selector_of_the_page_that_the_file_names(site: str) -> None:
    hooks = load_platform(site).hooks
    several = (hooks.active, hooks.liked, hooks.photos, hooks.item, hooks.ad)
    named = {one for each in several for one in each}
    named |= {selector for selector, _, _ in hooks.field_attributes.values() if selector}
    assert named <= set(list_selectors(hooks).values())
