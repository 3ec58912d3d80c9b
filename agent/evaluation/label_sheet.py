"""What labellers get to hand: a page without a server, and tasks for Label Studio.

Both show what a labelling session shows, and no judge's answer. Their answers come back as a file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from agent.evaluation.label_exchange import ANSWERS
from agent.evaluation.label_session import LabelSession, QuestionCard
from store.frames.frame_store import FrameStore
from store.jsonl.atomic import write_whole
from store.untrusted.studio_tasks import CONTROL

PAGE, TASKS, INTERFACE = "index.html", "tasks.json", "interface.xml"
_INTERFACE = f"""\
<View>
  <Header value="$persona"/>
  <Image name="pictures" valueList="$pictures"/>
  <Text name="words" value="$words"/>
  <Header value="$ask"/>
  <Choices name="{CONTROL}" toName="pictures" choice="single" required="true">
{"".join(f'    <Choice value="{answer}"/>{chr(10)}' for answer in ANSWERS)}  </Choices>
</View>
"""


def write_sheet(session: LabelSession, folder: Path) -> Path:
    """Write the page and its pictures into a folder; return the page's path."""
    cards = session.list_cards()
    _write_pictures(session, cards, folder)
    shown = [
        {
            "id": card.id,
            "persona": card.persona,
            "ask": card.ask,
            "words": card.words,
            "pictures": [_picture(frame) for frame in card.frames],
        }
        for card in cards
    ]
    # the browser keeps answers under this name, which outlives a video that is forgotten
    named = [session.draw.header.name, session.draw.header.seed, session.by]
    name = hashlib.sha256(json.dumps(named).encode()).hexdigest()[:12]
    # within a script element nothing but "<" could end the element
    sheet = json.dumps({"sheet": name, "questions": shown}).replace("<", "\\u003c")
    page = files("agent.evaluation").joinpath("data/label_page.html").read_text("utf-8")
    write_whole(folder / PAGE, page.replace("{{ sheet }}", sheet).encode(), sync=False)
    return folder / PAGE


def write_studio_tasks(session: LabelSession, folder: Path) -> Path:
    """Write tasks for Label Studio, its labelling interface and the pictures; return the tasks.

    The pictures' addresses are those of Label Studio's local files, below the folder's parent.
    """
    cards = session.list_cards()
    _write_pictures(session, cards, folder)
    tasks = [
        {
            "data": {
                "question": card.id,
                "persona": card.persona,
                "ask": card.ask,
                "words": card.words or "-",
                "pictures": [
                    f"/data/local-files/?d={folder.name}/{_picture(frame)}" for frame in card.frames
                ],
            }
        }
        for card in cards
    ]
    write_whole(folder / INTERFACE, _INTERFACE.encode(), sync=False)
    content = json.dumps(tasks, indent=1, ensure_ascii=False) + "\n"
    write_whole(folder / TASKS, content.encode(), sync=False)
    return folder / TASKS


def _write_pictures(session: LabelSession, cards: Sequence[QuestionCard], folder: Path) -> None:
    frames = FrameStore(session.data.frames_dir)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for sha256 in list_frames(cards):
        write_whole(folder / _picture(sha256), frames.read(sha256), sync=False)


def list_frames(cards: Sequence[QuestionCard]) -> list[str]:
    """Return the SHA-256 of every picture that is shown."""
    return sorted({frame for card in cards for frame in card.frames})


def _picture(sha256: str) -> str:
    return f"pictures/{sha256[:20]}.jpg"
