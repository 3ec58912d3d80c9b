"""inspect_ai finds feedsway's models by itself, in a process that never heard of feedsway."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from personas.strategies import build
from tests.agent.models.made_models import GUITARIST, frame

ROOT = Path(__file__).parents[3]
SCRIPT = """\
import json, sys
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, ContentImage, ContentText
from inspect_ai.scorer import exact

said = json.load(sys.stdin)
asked = [ContentImage(image=said["image"]), ContentText(text=said["user"])]
chat = [ChatMessageSystem(content=said["system"]), ChatMessageUser(content=asked)]
task = Task(dataset=[Sample(input=chat, target="Yes")], scorer=exact())
logs = eval(task, model=said["models"], display="none", log_dir=said["logs"])
scores = {log.eval.model: log.results.scores[0] for log in logs if log.results}
right = {model: score.metrics["mean"].value for model, score in scores.items()}
where = sys.modules["agent.models.inspect_provider"].__file__
print("told:", json.dumps([right, where]))
"""


def test_the_entry_point_is_installed_as_it_is_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    ours = declared["project"]["entry-points"]["inspect_ai"]
    installed = {point.name: point.value for point in entry_points(group="inspect_ai")}
    assert ours.items() <= installed.items()


@pytest.mark.drill
def test_an_evaluation_in_a_fresh_process_finds_our_models(tmp_path: Path) -> None:
    prompt = build("simple", GUITARIST)
    right = {"scripted/yes": 1, "scripted/no": 0}
    told = {
        "image": "data:image/jpeg;base64," + base64.b64encode(frame()).decode(),
        "user": prompt.user,
        "system": prompt.system,
        "models": list(right),
        "logs": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(told),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("told:")]
    here = str(ROOT / "agent" / "models" / "inspect_provider.py")
    assert json.loads(line.removeprefix("told:")) == [right, here]
