"""The folder that every trial begins with: runs, answers, labels, and strangers' files."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

from store.frames.frame_store import FrameStore
from store.jsonl.atomic import write_whole
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import PersonaRecord, Video, Windows
from tests.faults.child import Ending
from tests.plug_in_packages import SOURCE, write_package
from tests.store.dataset.donation_samples import tiktok
from tests.store.samples import COLOURS, finished, frame, jpeg, started, step

STUDY = "many"
PERSONAS = ("ann", "bob", "cid")
STEPS = 8
WINDOWS = Windows(before=4, adapt=0, after=4)
AUTHOR = "kite.flyer"
QUESTIONS = 6
VALUES = """\
[[value]]
id = "warmth"
name = "Warmth"
definition = "Near a fire."
keywords = ["red", "a red thing", "red red", "red purple", "orange red"]

[[value]]
id = "calm"
name = "Calm"
definition = "Near a lake."
keywords = ["green", "blue", "a green thing", "a blue thing", "green blue"]
"""
CHAT = "".join(
    f"{number + 1} your persona: i like {what}.\n"
    for number, what in enumerate(("rain", "old trains", "soup", "kites"))
)
Call = Callable[[Sequence[str]], Ending]


def write_run(data: DataFolder, name: str, first: int, study: str = STUDY) -> None:
    """Keep a complete run; every third video is by the author that is forgotten later."""
    frames = FrameStore(data.frames_dir)
    persona = PersonaRecord(
        id=name, traits=(f"I like {name}.", "I bake.", "I surf."), source="made", licence="MIT"
    )
    run_id = f"r-{name}"
    config = {"study": study, "cell": name}
    with LedgerWriter(data.ledger_path(run_id), fsync=False) as writer:
        writer.append(started(run_id, persona=persona, config=config, windows=WINDOWS))
        for position in range(STEPS):
            picture = jpeg(COLOURS[(first + position) % len(COLOURS)], first + position)
            frames.put(picture, sync=False)
            video = Video(
                id=f"v{first + position}",
                caption=f"a thing, {first + position}, as @{AUTHOR} says",
                author=AUTHOR if position % 3 == 0 else f"other{position}",
            )
            phase = "before" if position < WINDOWS.before else "after"
            answer = ("yes", "no")[(first + position) % 2]
            writer.append(step(position, frame(picture), answer=answer, video=video, phase=phase))
        writer.append(finished(STEPS))


ANSWERS: tuple[tuple[str, ...], ...] = (
    ("agent", "rejudge", STUDY, "--model", "scripted/coin?p=0.4", "--data", "data"),
    ("agent", "rejudge", "r-dee", "--model", "scripted/coin?p=0.4", "--data", "other"),
    ("agent", "pairs", "--model", "scripted/editor", "--kind", "object", "--frames", "6"),
    ("agent", "label", STUDY, "--by", "ann", "--questions", str(QUESTIONS), "--sheet", "sheet"),
    ("store", "index", "--encoder", "colour", "--data", "indexed"),
    ("analysis", "report", STUDY, "--data", "reported"),
)
"""What a whole scene holds beside its runs; each by the command that makes it."""


def write_scene(folder: Path, call: Call, *, answers: bool) -> None:
    """Write the data folder and what strangers give; without answers it is quick."""
    data, given = DataFolder(folder / "data"), folder / "in"
    for number, name in enumerate(PERSONAS):
        write_run(data, name, 4 * number)
    write_whole(data.study_dir(STUDY) / "study.toml", b"", sync=False)
    other = DataFolder(folder / "other")
    write_run(other, "bob", 4)  # also here
    write_run(other, "dee", 40)
    write_run(other, "eve", 44)
    if answers:  # an index makes each check slow, and a report what forgets: each has its folder
        for root, (number, name) in product(("indexed", "reported"), enumerate(PERSONAS)):
            write_run(DataFolder(folder / root), name, 4 * number)
        write_whole(DataFolder(folder / "reported").study_dir(STUDY) / "study.toml", b"")
    given.mkdir()
    (folder / "out").mkdir()
    write_whole(data.pseudonym_key, b"5f" * 32, sync=False)  # otherwise each export has its own
    _write_strangers_files(given)
    for words in (*(ANSWERS if answers else ()), ("store", "backup", "in/kept.tar")):
        ended = call(words if "--data" in words else [*words, "--data", "data"])
        if ended.code != 0:
            raise RuntimeError(f"{' '.join(words)}: {ended.out}{ended.err}")
    if answers:
        page = (folder / "sheet" / "index.html").read_text("utf-8")
        names = [part[:12] for part in page.split('{"id": "')[1:]]
        given_ = "".join(f"{name},{('yes', 'no')[at % 2]}\n" for at, name in enumerate(names))
        (given / "answers.csv").write_text(f"question,answer\n{given_}", encoding="utf-8")
        shutil.rmtree(folder / "sheet")
    for path in sorted(data.frames_dir.rglob("*.jpg"))[::2]:
        path.chmod(0o644)  # for protect


def _write_strangers_files(given: Path) -> None:
    (given / "user_data_tiktok.json").write_text(json.dumps(tiktok(20)), encoding="utf-8")
    (given / "own.toml").write_text(VALUES, encoding="utf-8")
    (given / "chat.txt").write_text(CHAT, encoding="utf-8")
    shots = given / "shots"
    shots.mkdir()
    rows = ["file,caption,author"]
    for number in range(5):
        (shots / f"{number}.jpg").write_bytes(jpeg(COLOURS[number], 60 + number))
        rows.append(f"{number}.jpg,a shot {number},@sailor")
    (given / "captions.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    views = ["run,persona,arm,position,batch,video,answer"]
    for run in range(6):
        for at in range(24):
            answer = ("no", "yes")[(at * 7 + run) % 24 < at // 2]
            views.append(f"r{run},p{run},treatment,{at},{at // 6},v{run}-{at},{answer}")
    (given / "views.csv").write_text("\n".join(views) + "\n", encoding="utf-8")


def install_encoder(folder: Path) -> None:
    """Let this process and its children find an encoder that needs no weights."""
    code = (SOURCE / "feedsway_example" / "encoders.py").read_text(encoding="utf-8")
    write_package(folder, "faults_encoder", code, {"encoders.colour": "faults_encoder:MeanColour"})
    sys.path.insert(0, str(folder))
