"""The status tells what journal and ledgers say, reads only what is new, and hides secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import cli
from agent.cli.status import status_lines
from agent.daemon.journal.events import (
    ChildEnded,
    ChildStarted,
    FileAccepted,
    PauseChanged,
    name_occurrence,
)
from agent.daemon.redact_secrets import HIDDEN, SecretRedactor, secrets_of
from agent.daemon.web.prometheus import exposition
from agent.daemon.web.status import Status, StatusReader, read_status
from store.runs.canary_log import CanaryRecord, append_canary
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import Windows
from tests.agent.daemon.made_data_folder import World, served
from tests.store.samples import finished

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(DataFolder(tmp_path / "data"), NOW)
    yield made
    made.close()


def seen(world: World) -> Status:
    return read_status(world.data, NOW, world.upcoming(9))


def test_nothing_yet(tmp_path: Path) -> None:
    found = read_status(DataFolder(tmp_path / "data"), NOW, ())
    assert (found.daemon, found.running, found.entries, found.counts.runs) == (None, (), (), 0)
    assert found.machine.free > 0


def test_what_goes_on_with_its_answers(world: World) -> None:
    world.begin("dawn")
    world.keep("r1", "yynn-yyyyyyn", account="p12-daily")
    (run,) = seen(world).running
    assert (run.entry, run.run_id, run.persona, run.arm) == ("dawn", "r1", "p12", "treatment")
    assert (run.shares["before"].yes, run.shares["before"].answered) == (7, 9)  # one is missing
    assert (run.shares["after"].yes, run.shares["after"].answered) == (1, 2)
    assert run.last is not None
    assert (run.last.answer, run.last.p_yes, run.last.position) == ("no", 0.23, 11)
    assert run.last.frame is not None
    assert run.eligible == 12


def test_a_child_without_a_run_yet_is_starting(world: World) -> None:
    world.begin("dusk")
    (run,) = seen(world).running
    assert (run.entry, run.run_id) == ("dusk", None)
    assert [entry.running for entry in seen(world).entries] == [False, True, False]


def test_a_child_whose_run_is_done_is_not_starting(world: World) -> None:
    world.begin("dusk")
    run = world.keep("r1", "yn", config={"cell": name_occurrence("dusk", NOW)})
    run.append(finished(2))
    run.close()
    found = seen(world)
    (one,) = found.running
    assert (one.entry, one.run_id, one.ending) == ("dusk", None, True)
    assert "dusk has ended its run and tidies up" in "\n".join(status_lines(found, NOW))


def test_a_study_whose_runs_are_done_is_not_starting(world: World) -> None:
    log = "daemon/logs/dusk/1.log"
    world.write(
        ChildStarted(at=NOW, entry="dusk", due=NOW, pid=os.getpid(), log=log, study="two-arms")
    )
    world.study("two-arms", {"treatment": ["yn"], "passive": ["nn"]})
    cells = [
        {
            "platform": "playground",
            "strategy": "simple",
            "model": "m",
            "replicate": 1,
            "slot": 1,
            "arm": arm,
            "persona": "p12",
        }
        for arm in ("treatment", "passive")
    ]
    draws = world.data.studies_dir / "two-arms" / "draws.json"
    draws.parent.mkdir(parents=True, exist_ok=True)
    draws.write_text(json.dumps([*cells, cells[0] | {"persona": "p05"}]), encoding="utf-8")
    assert [one.ending for one in seen(world).running] == [False]
    draws.write_text(json.dumps(cells), encoding="utf-8")
    assert [one.ending for one in seen(world).running] == [True]


def test_each_start_is_told_with_the_zone_of_its_clock(world: World) -> None:
    zones = {"dusk": "Asia/Tokyo"}
    names = tuple(world.entries)
    world.write(
        FileAccepted(at=NOW, sha256="b", entries=names, timezone="Europe/Berlin", zones=zones)
    )
    told = {line.split()[0]: line for line in status_lines(seen(world), NOW) if line.strip()}
    assert "next 10:25 Europe/Berlin" in told["dawn"]
    assert "next 18:50 Asia/Tokyo" in told["dusk"]


def test_a_run_that_was_killed_does_not_go_on(world: World) -> None:
    code = (
        "import os, sys; from pathlib import Path; from store.jsonl.locks import NamedLock;"
        "NamedLock(Path(sys.argv[1])).acquire(); os._exit(1)"
    )
    world.keep("r1", "yy").close()
    lock = world.data.run_dir("r1") / "ledger.lock"
    subprocess.run([sys.executable, "-c", code, str(lock)], check=False)
    assert lock.read_text()
    assert seen(world).running == ()


def test_entries_with_what_became_of_them(world: World) -> None:
    world.end("dawn", "complete", minutes=30)
    world.end("dusk", "fault", "PageStuck: no playing video.")
    world.write(PauseChanged(at=NOW, entry="two-arms", paused=True))
    found = seen(world)
    dawn, dusk, two_arms = found.entries
    assert dawn.last is not None
    assert dusk.last is not None
    assert (dawn.last.outcome, dusk.last.outcome) == ("complete", "fault")
    assert dusk.last.reason == "PageStuck: no playing video."
    assert (dawn.paused, two_arms.paused, two_arms.last) == (False, True, None)
    assert dawn.next == NOW + timedelta(minutes=25)
    assert [(one.entry, one.outcome) for one in found.failures] == [("dusk", "fault")]
    assert found.counts.outcomes == {"dawn": {"complete": 1}, "dusk": {"fault": 1}}


def test_what_waits_for_a_person(world: World) -> None:
    world.trouble()
    found = seen(world)
    (wall,) = found.walls
    assert wall.command == "python -m agent login tiktok --account p12-treatment-1"
    assert wall.saw == "a challenge, such as a captcha"
    assert [one.platform for one in found.breakers] == ["youtube"]
    assert [one.trouble for one in found.troubles] == ["disk"]
    assert [one.outcome for one in found.failures] == ["skipped", "fault"]


def test_what_was_last_found_of_each_site(world: World) -> None:
    for at, verdict in ((NOW, "holds"), (NOW + timedelta(minutes=1), "fails")):
        found = {"verdicts": {"ad": verdict, "id": "holds"}, "reasons": {"ad": "0 of 24"}}
        record = {"kind": "run", "at": at, "platform": "tiktok", "run_id": "r1", **found}
        append_canary(world.data, CanaryRecord.model_validate(record))
    append_canary(world.data, CanaryRecord(kind="probe", at=NOW, platform="youtube"))
    tiktok, youtube = seen(world).sites
    assert (tiktok.at, tiktok.fails) == (NOW + timedelta(minutes=1), ("ad: 0 of 24",))
    assert (youtube.source, youtube.fails) == ("probe", ())
    lines = list(status_lines(seen(world), NOW + timedelta(minutes=2)))
    assert any(line.startswith("tiktok: fails ad: 0 of 24, seen by a run") for line in lines)


def test_a_failure_is_shown_until_a_later_look_at_the_real_site_could_tell(world: World) -> None:
    def found(minutes: int, verdict: str, *, skin: bool = False) -> None:
        at, verdicts = NOW + timedelta(minutes=minutes), {"ad": verdict}
        record = {"kind": "probe", "at": at, "platform": "tiktok", "skin": skin}
        reasons = {"ad": "0 of 24"} if verdict == "fails" else {}
        found = {"verdicts": verdicts, "reasons": reasons}
        append_canary(world.data, CanaryRecord.model_validate(record | found))

    found(0, "fails")
    found(1, "holds", skin=True)
    found(2, "could not tell")
    real, skin = seen(world).sites
    assert (real.skin, real.at, real.fails) == (False, NOW, ("ad: 0 of 24",))
    assert (skin.skin, skin.fails) == (True, ())
    found(3, "holds")
    assert [one.fails for one in seen(world).sites] == [(), ()]


def test_a_changed_result_of_a_site_is_not_shown(world: World) -> None:
    for at, verdict in ((NOW, "fails"), (NOW + timedelta(minutes=1), "fails")):
        record = CanaryRecord(kind="probe", at=at, platform="tiktok", verdicts={"ad": verdict})
        append_canary(world.data, record)
    log = world.data.canary_path("tiktok")
    first, last = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(first + last.replace(b"fails", b"holds"))
    (site,) = seen(world).sites
    assert (site.at, len(site.fails)) == (NOW, 1)


def test_curves_are_of_all_answers_of_an_arm_and_start_anew(world: World) -> None:
    world.study("s", {"treatment": ["ynynynyyyy", "nnnn-nyyyy"], "passive": ["nnnnnnnnnn"]})
    (study,) = seen(world).studies
    treatment, passive = study.curves
    assert (treatment.arm, treatment.runs, passive.runs) == ("treatment", 2, 1)
    # two answers a place: five are there at the third, one of the tenth is missing
    assert treatment.points[:2] == (None, None)
    assert treatment.points[2:5] == (round(2 / 6, 4), round(2 / 8, 4), round(3 / 9, 4))
    assert treatment.points[7] == round(4 / 6, 4)
    assert passive.points[9] == 0.0
    assert (study.complete, study.cells, study.videos, study.total) == (3, 3, 30, 30)


def test_cost_and_counts(world: World) -> None:
    world.keep("r1", "yyyn").append(finished(4))
    world.keep("r2", "yn", model="openai/gpt")
    found = seen(world)
    assert found.cost.total_usd == pytest.approx(0.006)
    assert found.cost.today_usd == pytest.approx(0.006)
    assert (found.counts.runs, found.counts.complete) == (2, 1)
    assert (found.counts.videos, found.counts.today) == (6, 6)


@pytest.mark.parametrize(
    ("zone", "hours", "face"), [("UTC", 14, "08:04"), ("Asia/Kathmandu", 9, "13:49")]
)
def test_today_is_the_watch_file_s_day_and_its_zone_is_shown(
    world: World, zone: str, hours: int, face: str
) -> None:
    world.write(FileAccepted(at=NOW, sha256="b" * 64, entries=world.entries, timezone=zone))
    world.keep("r1", "yyn")
    world.end("dusk", "fault")
    assert f"{face}  dusk" in "\n".join(status_lines(StatusReader(world.data).look(NOW), NOW))
    for later, today in ((0, 3), (hours, 3), (hours + 1, 0)):
        found = StatusReader(world.data).look(NOW + timedelta(hours=later))
        assert (found.timezone, found.counts.today) == (zone, today)
        assert found.cost.today_usd == pytest.approx(0.001 * today)
        assert f"3 videos, {today} today ({zone})" in " ".join(status_lines(found, found.at))
    typed = CliRunner().invoke(cli, ["status", "--data", str(world.data.root)])
    assert f" today ({zone})" in typed.stdout


def test_only_what_is_new_is_read(world: World) -> None:
    looker = StatusReader(world.data)
    run = world.keep("r1", "yy")
    assert looker.look(NOW).counts.videos == 2
    path = world.data.ledger_path("r1")
    raw = path.read_bytes()
    path.write_bytes(b"x" * len(raw))  # what was read is not read again
    with path.open("ab") as file:
        file.write(raw.splitlines(keepends=True)[-1].replace(b'"position":1', b'"position":2'))
        file.write(b'{"kind": "step", "torn')
    found = looker.look(NOW)
    assert (found.counts.videos, found.counts.damaged) == (3, 0)
    run.close()


def test_a_ledger_that_was_rewritten_is_read_again(world: World) -> None:
    looker = StatusReader(world.data)
    world.keep("r1", "yyyy").close()
    assert looker.look(NOW).counts.videos == 4
    path = world.data.ledger_path("r1")
    other = path.with_name("other")
    other.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    other.replace(path)
    assert looker.look(NOW).counts.videos == 2


def test_a_damaged_ledger_is_told_and_stops_nothing(world: World) -> None:
    world.keep("r1", "yyyy").close()
    world.keep("r2", "yn").close()
    path = world.data.ledger_path("r1")
    path.write_bytes(path.read_bytes().replace(b'"judgement"', b'"judgment"', 1))
    found = seen(world)
    assert found.counts.damaged == 1
    assert found.counts.runs == 2


@pytest.mark.drill
def test_hundreds_of_runs_are_looked_at_quickly(world: World) -> None:
    writer = world.keep("r", "yn" * 10, windows=Windows(before=10, after=10))
    writer.append(finished(20))
    raw = world.data.ledger_path("r").read_bytes()
    for number in range(500):
        path = world.data.ledger_path(f"r{number}")
        path.parent.mkdir()
        path.write_bytes(raw)
    looker = StatusReader(world.data)
    assert looker.look(NOW).counts.videos == 501 * 20
    before = datetime.now(UTC)
    for _ in range(5):
        looker.look(NOW)
    assert (datetime.now(UTC) - before).total_seconds() / 5 < 1


@pytest.mark.parametrize(
    "text",
    [
        "ProxyError: http://user:hunter2canary@proxy:3128 refused",
        "401: Incorrect API key provided: sk-proj-canary0123456789canary",
        "Authorization: Bearer canary0123456789",
        'request failed: {"api_key": "canary-1234", "model": "m"}',
        "GET /v1?token=canary99&x=1",
        "the value 8canary8 stands anywhere",
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    hide = SecretRedactor(secrets_of({"OPENAI_API_KEY": "8canary8", "HOME": "the value"}))
    told = hide.text(text)
    assert "canary" not in told
    assert HIDDEN in told


def test_words_stay() -> None:
    text = "PageStuck: 3 tokens were read; the key moment, a secret garden at https://x.y/z"
    assert SecretRedactor().text(text) == text
    assert secrets_of({"KEYBOARD": "a" * 9, "SSH_AUTH_SOCK": "b" * 9, "X_KEY_ID": "c"}) == {"c"}


def test_names_stay_whatever_they_look_like(tmp_path: Path) -> None:
    entry = "sk-persona-that-skates-daily"
    world = World(DataFolder(tmp_path / "data"), NOW, [entry, "playground"])
    world.end(entry, "fault", "sk-canary0123456789canary")
    found = read_status(world.data, NOW, world.upcoming(2), SecretRedactor(["playground"]))
    world.close()
    assert [one.name for one in found.entries] == [entry, "playground"]
    assert [one.entry for one in found.upcoming] == [entry, "playground"]
    assert found.counts.outcomes == {entry: {"fault": 1}}
    assert found.failures[0].reason == HIDDEN


def test_metrics_are_numbers_of_the_status(world: World) -> None:
    from prometheus_client.parser import text_string_to_metric_families as families

    world.trouble()
    world.end("dawn", "complete")
    world.begin("dawn")
    world.keep("r1", "yyn")
    told = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families(exposition(seen(world)).decode())
        for sample in family.samples
    }
    assert told["feedsway_up",] == 1
    assert told["feedsway_walls_open",] == 1
    assert told["feedsway_wall_open", "p12-treatment-1", "tiktok"] == 1
    assert told["feedsway_runs_going", "playground", "treatment"] == 1
    assert told["feedsway_occurrences_total", "complete", "dawn"] == 1
    assert told["feedsway_videos",] == 3
    assert told["feedsway_entry_next_timestamp_seconds", "dawn"] == NOW.timestamp() + 1500
    assert told["feedsway_disk_free_bytes",] > 0


def test_in_the_terminal(world: World) -> None:
    world.trouble("sk-canary0123456789canary")
    root = str(world.data.root)
    with served(world) as link:
        done = CliRunner().invoke(cli, ["status", "--data", root])
        assert done.exit_code == 0, done.output
        assert link in done.output
        assert "python -m agent status --looked tiktok p12-treatment-1" in done.output
        assert "canary" not in done.output
        found = CliRunner().invoke(cli, ["status", "--data", root, "--json"])
        assert [one["entry"] for one in json.loads(found.stdout)["upcoming"]][:2] == [
            "dawn",
            "dusk",
        ]


def test_asked_in_the_terminal(world: World) -> None:
    def ask(*words: str) -> str:
        done = CliRunner().invoke(cli, ["status", "--data", str(world.data.root), *words])
        return done.output

    with served(world):
        world.trouble()
        assert "everything is paused" in ask("--pause", "all")
        assert "everything is paused" not in ask("--resume", "all")
        assert "dusk      paused" in ask("--pause", "dusk")
        assert "! tiktok" not in ask("--looked", "tiktok", "p12-treatment-1")
        assert "There is no entry 'dawm'. Nearest: dawn" in ask("--run-now", "dawm")


def test_without_a_daemon_it_says_what_to_type(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["status", "--data", str(tmp_path)])
    assert done.exit_code == 0
    assert "python -m agent daemon watch.toml" in done.output
    refused = CliRunner().invoke(cli, ["status", "--data", str(tmp_path), "--pause", "all"])
    assert "python -m agent daemon watch.toml" in refused.output


def test_an_ended_child_is_no_longer_running(world: World) -> None:
    world.begin("dawn")
    looker = StatusReader(world.data)
    assert len(looker.look(NOW).running) == 1
    world.write(ChildEnded(at=NOW, entry="dawn", due=NOW, outcome="complete"))
    assert looker.look(NOW).running == ()
