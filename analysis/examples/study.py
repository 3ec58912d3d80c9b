"""A small made-up study in a folder of its own: to learn on, and to test with.

Six personas, each with two themes that it likes; a feed that follows the treatment runs and not
the passive ones; ads, repeats, missing answers, one run that was interrupted, and re-judgements.
Everything goes through the store's own writers, so that it reads like a recorded study. Nothing in
it was watched by anybody: platform and model say so.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from store.frames.frame_store import FrameStore, describe
from store.jsonl.file_seal import write_sealed
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import (
    Frame,
    Judgement,
    PersonaRecord,
    Phase,
    Reaction,
    RunFinished,
    RunStarted,
    Step,
    Video,
    Windows,
)
from store.runs.rejudgements import JudgementWriter, RejudgedAnswer, RejudgementHeader
from store.runs.run_provenance import Provenance

STUDY = "example"
THEMES = ("ocean", "bread", "chess", "forest", "city", "music", "garden", "desert")
PERSONAS = {
    "kim": ("I surf before work.", "ocean", "city"),
    "lena": ("I bake my own bread.", "bread", "garden"),
    "mo": ("I play chess by post.", "chess", "music"),
    "nils": ("I sleep in the woods.", "forest", "desert"),
    "olga": ("I paint tall buildings.", "city", "chess"),
    "pia": ("I sing in two choirs.", "music", "bread"),
}
WINDOWS = Windows(before=24, adapt=24, after=52, baseline="passive")
START = datetime(2025, 3, 1, 9, tzinfo=UTC)
BATCH = 12
_VIDEOS, _PICTURES = 400, 40  # different videos of each theme, and pictures that they share
_YES = {True: 0.82, False: 0.1}  # chance of a yes to a theme that is liked, and to another
_PULL = 0.5  # weight that a theme gains with each video that is stayed for; it starts at 1
_FILE = """\
name = "example"
seed = 7

[matrix]
personas = ["kim", "lena", "mo", "nils", "olga", "pia"]
platforms = ["example"]
strategies = ["simple"]
models = ["scripted/example"]
arms = ["treatment", "passive"]
replicates = 1

[windows]
before = 24
adapt = 24
after = 52
baseline = "passive"

[test]
primary = "controlled"
sides = "two"
"""


Pictures = dict[str, Frame]  # by theme and number


@dataclass(frozen=True)
class _Shown:
    theme: str
    number: int
    answer: str
    excluded: str | None
    stays: bool

    @property
    def video(self) -> str:
        return f"{self.theme}-{self.number}"

    @property
    def picture(self) -> str:
        return f"{self.theme}-{self.number % _PICTURES}"


def write_example(folder: Path, seed: int = 7) -> DataFolder:
    """Write the example study into a data folder that holds no study of this name."""
    data = DataFolder(folder)
    rng = np.random.default_rng(seed)
    pictures = _pictures(FrameStore(data.frames_dir), rng)
    home = data.studies_dir / STUDY
    write_sealed(home / "study.toml", _FILE.encode())
    cells = [
        {
            "platform": "example",
            "strategy": "simple",
            "model": "scripted/example",
            "replicate": 1,
            "slot": slot,
            "arm": arm,
            "persona": persona,
        }
        for slot, persona in enumerate(PERSONAS, 1)
        for arm in ("treatment", "passive")
    ]
    write_sealed(home / "draws.json", json.dumps(cells).encode())
    for cell in cells:
        persona, arm, slot = str(cell["persona"]), str(cell["arm"]), int(str(cell["slot"]))
        cut = 80 if (persona, arm) == ("pia", "passive") else None
        steps = list(_steps(persona, arm, pictures, rng))[:cut]
        started = _started(persona, arm, slot)
        path = data.ledger_path(started.run_id)
        with LedgerWriter(path, fsync=False) as writer:
            writer.append(started)
            for step in steps:
                writer.append(step)
            if cut is None:
                eligible = sum(step.eligible for step in steps)
                writer.append(RunFinished(at=steps[-1].at, steps=len(steps), eligible=eligible))
        if arm == "treatment":
            _judge_again(path.parent, started, steps, rng)
    return data


def write_replay(data: DataFolder, run_id: str, seed: int = 8) -> str:
    """Show a run's videos again to a second, stricter judge; return the new run's id."""
    first = ledger.read(data.ledger_path(run_id))
    rng = np.random.default_rng(seed)
    started = first.started.model_copy(
        update={
            "run_id": f"{run_id}-replay",
            "platform": "replay",
            "model": "scripted/stricter",
            "at": first.started.at + timedelta(days=1),
            "config": {"of": run_id},
        }
    )
    with LedgerWriter(data.ledger_path(started.run_id), fsync=False) as writer:
        writer.append(started)
        for step in first.steps:
            strict = step.judgement.answer == "yes" and rng.random() < 0.7
            judgement = _judgement("yes" if strict else "no", rng)
            writer.append(step.model_copy(update={"judgement": judgement}))
        if first.finished is not None:
            writer.append(first.finished)
    return started.run_id


def _pictures(frames: FrameStore, rng: np.random.Generator) -> Pictures:
    found = {}
    for number, theme in enumerate(THEMES):
        for picture in range(_PICTURES):
            jpeg = _draw(number / len(THEMES), theme, rng)
            seen = describe(jpeg)
            found[f"{theme}-{picture}"] = Frame(
                sha256=frames.put(jpeg, sync=False),
                width=seen.width,
                height=seen.height,
                time_s=1.0,
                phash=seen.phash,
                quality=seen.quality,
            )
    return found


def _draw(hue: float, theme: str, rng: np.random.Generator) -> bytes:
    from PIL import Image, ImageDraw, ImageFont

    width, height = 180, 320
    picture = Image.new("HSV", (width, height), (int(255 * hue), 70, 235))
    draw = ImageDraw.Draw(picture)
    sun = rng.uniform(30, 150), rng.uniform(30, 110), rng.uniform(14, 34)
    draw.ellipse(
        (sun[0] - sun[2], sun[1] - sun[2], sun[0] + sun[2], sun[1] + sun[2]),
        fill=(int(255 * hue), 25, 255),
    )
    for layer in range(4):
        base, wave = 150 + 42 * layer, rng.uniform(10, 34)
        phase, length = rng.uniform(0, 6.3), rng.uniform(40, 120)
        top = [(x, base + wave * np.sin(x / length * 6.3 + phase)) for x in range(0, 181, 6)]
        shade = (int(255 * hue + 6 * layer) % 256, 110 + 28 * layer, 205 - 42 * layer)
        draw.polygon([*top, (width, height), (0, height)], fill=shade)
    draw.text((14, 284), theme, fill=(0, 0, 255), font=ImageFont.load_default(20))
    out = io.BytesIO()
    picture.convert("RGB").save(out, "JPEG", quality=80)
    return out.getvalue()


def traits_of(persona: str) -> tuple[str, ...]:
    """As many sentences as a persona must have, so that a judge can be asked as it."""
    sentence, first, second = PERSONAS[persona]
    return sentence, f"My favourite theme is {first}.", f"I also like {second}."


def _started(persona: str, arm: str, slot: int) -> RunStarted:
    at = START + timedelta(minutes=30 * slot)
    return RunStarted(
        run_id=f"example-{persona}-{arm}",
        at=at,
        persona=PersonaRecord(
            id=persona, traits=traits_of(persona), source="example", licence="MIT"
        ),
        platform="example",
        strategy="simple",
        model="scripted/example",
        arm="treatment" if arm == "treatment" else "passive",
        account=f"slot{slot:03d}-{arm}-r1",
        windows=WINDOWS,
        seed=7,
        config={
            "study": STUDY,
            "cell": f"example/simple/scripted/example/1/{persona}/{arm}",
            "replicate": 1,
        },
        config_hash="example",
        prompts={"simple": "example"},
        encoder=None,
        driver="none",
        browser="none",
        viewport=(180, 320),
        locale="en-US",
        provenance=Provenance(
            code_version="example", code_dirty=False, python="none", system="none", libraries={}
        ),
    )


def _steps(persona: str, arm: str, pictures: Pictures, rng: np.random.Generator) -> Iterator[Step]:
    """What the feed showed: batch by batch, with what the persona stayed for in mind."""
    liked = PERSONAS[persona][1:]
    weight = dict.fromkeys(THEMES, 1.0)
    position = eligible = 0
    seen: set[str] = set()
    while True:
        share = np.array([weight[theme] for theme in THEMES])
        for theme in rng.choice(THEMES, BATCH, p=share / share.sum()).tolist():
            if eligible == WINDOWS.total:
                return
            number = int(rng.integers(_VIDEOS))
            video = f"{theme}-{number}"
            excluded = "ad" if rng.random() < 0.03 else "repeat" if video in seen else None
            seen.add(video)
            phase: Phase = WINDOWS.phase(eligible)
            answer = "yes" if rng.random() < _YES[theme in liked] else "no"
            stays = arm == "treatment" and phase != "before" and answer == "yes"
            weight[theme] += _PULL * stays
            shown = _Shown(theme, number, answer, excluded, stays)
            yield _step(position, phase, shown, pictures[shown.picture], rng)
            position += 1
            eligible += excluded is None


def _step(
    position: int, phase: Phase, shown: _Shown, frame: Frame, rng: np.random.Generator
) -> Step:
    lost = rng.random() < 0.012
    dwell = float(rng.normal(8, 0.4)) if shown.stays else 2.0
    batch = position // BATCH
    return Step.model_validate(
        {
            "position": position,
            "at": START + timedelta(seconds=5 * position),
            "phase": phase,
            "video": Video(
                id=shown.video,
                author=f"@{shown.theme}{shown.number // 20}",
                caption=f"A video about the {shown.theme}",
                duration_s=15.0,
                batch=batch,
                batch_requested_at=max(0, batch * BATCH - 4),
            ),
            "frames": (frame,),
            "excluded": shown.excluded,
            "judgement": _judgement(None if lost else shown.answer, rng),
            "reaction": Reaction(
                action="stay" if shown.stays else "swipe",
                dwell_asked_s=dwell,
                dwell_s=dwell,
                exposure_s=0.3,
                held_s=0.2,
            ),
            "move": None,
            "timings_ms": {},
        }
    )


def _judgement(answer: str | None, rng: np.random.Generator) -> Judgement:
    if answer is None:
        return Judgement(answer=None, missing="unreadable")
    sure = float(rng.beta(6, 2))
    return Judgement.model_validate(
        {"answer": answer, "p_yes": sure if answer == "yes" else 1 - sure, "latency_s": 0.2}
    )


def _judge_again(
    run_folder: Path, started: RunStarted, steps: list[Step], rng: np.random.Generator
) -> None:
    """Ask every persona about every compared frame; about some of them mirrored and again."""
    judge = RejudgementHeader(
        run_id=started.run_id,
        model=started.model,
        strategy=started.strategy,
        prompts=started.prompts,
        seed=started.seed,
        at=started.at,
        code_version="example",
    )
    lines = []
    for step in steps:
        if step.phase == "adapt" or not step.eligible:
            continue
        theme = step.video.id.split("-")[0]
        for persona, (_, *liked) in PERSONAS.items():
            likes = bool(rng.random() < _YES[theme in liked])
            kinds = [(False, 0), *([(True, 0), (False, 1)] if step.position % 3 == 0 else [])]
            for mirrored, repeat in kinds:
                changed = (mirrored or repeat) and rng.random() < 0.06
                says = likes ^ mirrored ^ bool(changed)
                lines.append(
                    RejudgedAnswer(
                        persona=persona,
                        position=step.position,
                        frame=step.frames[0].sha256,
                        mirrored=mirrored,
                        repeat=repeat,
                        judgement=_judgement("yes" if says else "no", rng),
                    )
                )
    with JudgementWriter(judge.path(run_folder), judge) as writer:
        writer.append(lines)
