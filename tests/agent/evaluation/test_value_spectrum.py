"""The spectrum from real frames to its report: a planted value, resuming, served models, a task."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from inspect_ai.log import read_eval_log
from PIL import Image

from agent.benchmarks.viewer_inputs import Exhibit, draw_videos, take_exhibits
from agent.cli import cli
from agent.drivers.web.browser import find_browser, list_arguments
from agent.errors import BudgetSpent
from agent.evaluation import question_engine
from agent.evaluation.value_spectrum import SpectrumPlan, ask_spectrum
from agent.judge.spending_cap import SpendingCap
from agent.models.base import Question, Reply
from agent.models.batches import desk
from agent.playground.catalogue import load_catalogue
from agent.playground.clips import ClipStore, default_cache
from store import encoders
from store.frames.frame_store import FrameStore
from store.index.build import update
from store.results.value_spectrum import Retrieval, read_retrieval
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Video
from store.runs.rejudgements import read_judgements
from tests.agent.models.billing_server import BillingServer
from tests.agent.models.fault_server import Server, frames_of
from tests.agent.models.made_models import Recorded
from tests.e2e.commands import until
from tests.store.samples import START, finished, frame, started, step

# inspect_ai calls tenacity in a way that tenacity 9.2 has deprecated; it is theirs to mend
pytestmark = pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning")

ROOT = Path(__file__).parents[3]
THEMES = ("cars", "food", "space")
PER_THEME = 10
SET = """
[[value]]
id = "wheels"
name = "Wheels"
definition = "Driving."
keywords = ["sports car", "racing car", "car wheel", "classic car", "parked car"]

[[value]]
id = "table"
name = "Table"
definition = "Eating."
keywords = ["plate of food", "chocolate cake", "soup bowl", "bakery", "cup of coffee"]

[[value]]
id = "sky"
name = "Sky"
definition = "Looking up."
keywords = ["rocket launch", "astronaut", "planet in space", "telescope", "space shuttle"]
"""


@pytest.fixture(scope="module")
def exhibits() -> list[Exhibit]:
    items = draw_videos(load_catalogue(), PER_THEME, np.random.default_rng(0))
    wanted = [item for item in items if item.theme in THEMES]
    return take_exhibits(wanted, ClipStore(default_cache()), lambda *_: None)


@pytest.fixture(scope="module")
def data(exhibits: list[Exhibit], tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Frames of three themes, which their captions name."""
    folder = DataFolder(tmp_path_factory.mktemp("data"))
    frames = FrameStore(folder.frames_dir)
    with LedgerWriter(folder.ledger_path("r1")) as writer:
        writer.append(started("r1"))
        for number, shown in enumerate(exhibits):
            frames.put(shown.frame)
            video = Video(id=shown.id, caption=f"theme {shown.theme}")
            writer.append(step(number, frame(shown.frame), video=video))
        writer.append(finished(len(exhibits)))
    update(folder, encoders.load("conse"))
    (folder.root / "own.toml").write_text(SET, "utf-8")
    return folder


def typed(data: DataFolder, *words: str) -> Result:
    own = ("--values", str(data.root / "own.toml"), "--data", str(data.root))
    return CliRunner().invoke(cli, ["spectrum", *own, *words])


def scores(result: Result, model: str, kind: str = "corrected") -> dict[str, dict[str, float]]:
    assert result.exit_code == 0, result.output
    found: dict[str, dict[str, float]] = json.loads(result.stdout)["models"][model][kind]
    return found


@pytest.fixture(scope="module")
def retrieval(data: DataFolder) -> Retrieval:
    assert typed(data, "--model", "scripted/no").exit_code == 0
    (path,) = data.spectra_dir.glob("own-*/retrieval.json")
    return read_retrieval(path)


# What comes out


@pytest.mark.parametrize(("theme", "value"), [("cars", "wheels"), ("food", "table")])
def test_a_planted_value_comes_out_on_top(data: DataFolder, theme: str, value: str) -> None:
    model = f"scripted/keywords?words={theme}"
    result = typed(data, "--model", model, "--json")
    liked = scores(result, model)
    assert liked[value]["value"] > 70
    assert max(liked[name]["value"] for name in liked if name != value) < 50
    centred = scores(result, model, "centred")
    assert centred[value]["low"] > 0
    assert max(centred[name]["value"] for name in centred if name != value) < 0


def test_who_says_yes_to_everything_gets_a_flat_corrected_profile(data: DataFolder) -> None:
    result = typed(data, "--model", "scripted/yes", "--json")
    assert {each["value"] for each in scores(result, "scripted/yes", "raw").values()} == {100}
    assert {each["value"] for each in scores(result, "scripted/yes").values()} == {50}
    assert {each["value"] for each in scores(result, "scripted/yes", "centred").values()} == {0}
    assert json.loads(result.stdout)["models"]["scripted/yes"]["lean"]["value"] == 100


def test_a_taste_for_captions_is_lost_in_words(data: DataFolder) -> None:
    """Scripted models see no pictures: their descriptions say nothing of a theme."""
    model = "scripted/keywords?words=cars"
    result = typed(data, "--model", model, "--modality", "--json")
    told = json.loads(result.stdout)["words_less_pictures"][model]
    assert told["by_value"]["wheels"]["value"] == -scores(result, model)["wheels"]["value"]
    assert told["by_value"]["wheels"]["value"] < -70
    assert told["mean"]["high"] < 0


def test_the_report_is_one_page_with_every_frame(data: DataFolder, tmp_path: Path) -> None:
    words = ("--model", "scripted/yes", "--model", "scripted/coin?p=0.4", "--explain")
    result = typed(data, *words, "--out", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") == 15 * 5
    assert "Between models" in page
    assert "Scripted models do not look." in page, "what the frames show, where it was asked"
    assert "default-src 'none'" in page
    assert 'src="http' not in page
    assert 'href="http' not in page
    assert {path.name for path in (tmp_path / "out" / "tables").iterdir()} == {
        f"{name}.{kind}"
        for name in ("scores", "retrieved", "modality")
        for kind in ("csv", "parquet")
    }


@pytest.mark.drill
def test_the_embedded_viewer_answers_as_somebody_only(data: DataFolder) -> None:
    refused = CliRunner().invoke(cli, ["spectrum", "--model", "embedded/conse"])
    assert "no taste of its own to measure" in refused.output
    own = ("--persona", "p12", "--modality", "--json")
    result = typed(data, "--model", "embedded/conse", *own)
    assert set(scores(result, "embedded/conse as p12")) == {"wheels", "table", "sky"}
    told = json.loads(result.stdout)
    assert "Pictures and words" in Path(told["page"]).read_text("utf-8")
    gaps = told["words_less_pictures"]["embedded/conse as p12"]["by_value"]
    assert {name for name, gap in gaps.items() if gap["value"] is not None} == set(gaps)


# What is found


def test_each_keyword_finds_distinct_videos_that_fit(
    retrieval: Retrieval, exhibits: list[Exhibit]
) -> None:
    theme = {shown.id: shown.theme for shown in exhibits}
    own = dict(zip(("wheels", "table", "sky"), THEMES, strict=True))
    fits = []
    for keyword in retrieval.keywords:
        videos = [hit.video for hit in keyword.found]
        assert len(set(videos)) == len(videos) == 5
        matches = [hit.match for hit in keyword.found]
        assert matches == sorted(matches, reverse=True)
        fits += [theme[video] == own[keyword.value] for video in videos]
    assert np.mean(fits) > 0.7
    assert (retrieval.frames, len(retrieval.keywords)) == (len(exhibits), 15)


def test_another_platform_has_nothing(data: DataFolder) -> None:
    result = typed(data, "--model", "scripted/no", "--over", "tiktok")
    assert "No frame of tiktok is indexed yet" in result.output


# What is asked


def asked_of(
    data: DataFolder, retrieval: Retrieval, name: str, monkeypatch: pytest.MonkeyPatch, **more: Any
) -> Recorded:
    async def answer(question: Question) -> Reply:
        await asyncio.sleep(0)
        return Reply("No", input_tokens=99, output_tokens=1)

    model = Recorded(answer)
    model.name = name
    monkeypatch.setattr(question_engine, "load_model", lambda *_: model)
    try:
        asyncio.run(
            ask_spectrum(retrieval, SpectrumPlan(name, **more), data, START, lambda *_: None)
        )
    except BudgetSpent:
        assert "cap" in more
    return model


def test_nothing_is_asked_twice_and_a_cap_holds_over_sittings(
    data: DataFolder, retrieval: Retrieval, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = 6 * len(retrieval.shown)
    first = asked_of(data, retrieval, "openai/a", monkeypatch, cap=SpendingCap(tokens=4000))
    again = asked_of(data, retrieval, "openai/a", monkeypatch, cap=SpendingCap(tokens=5000))
    assert (len(first.asked), len(again.asked)) == (40, 10)
    rest = asked_of(data, retrieval, "openai/a", monkeypatch)
    assert len(rest.asked) == due - 50
    assert not asked_of(data, retrieval, "openai/a", monkeypatch).asked
    told = asked_of(data, retrieval, "openai/a", monkeypatch, explain=True)
    assert len(told.asked) == len(retrieval.shown), "explanations are one call more a frame"
    assert all(question.explain for question in told.asked)


def test_every_wording_is_asked_both_ways_and_nothing_is_told(
    data: DataFolder, retrieval: Retrieval, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asked_of(data, retrieval, "openai/b", monkeypatch).asked
    ways = {(question.prompt.user, question.prompt.mirrored) for question in asked}
    assert len(ways) == 6
    words = [word for keyword in retrieval.keywords for word in (keyword.keyword, keyword.value)]
    assert not any(word in question.prompt.user for question in asked for word in words)


# A served model, and inspect_ai


@pytest.fixture
def bright(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A service that likes bright pictures and answers every wording in that sense."""

    def answer(body: dict[str, Any]) -> tuple[str, int, int]:
        words = str(body["messages"][-1]["content"])
        light = 0.0
        if pictures := frames_of(body):
            light = float(np.asarray(Image.open(io.BytesIO(pictures[0])).convert("L")).mean())
        likes = light > 80 or "Description: A bright scene" in words
        opposite = any(word in words for word in ("dislike", "put you off", "do not enjoy"))
        said = "Yes." if likes != opposite else "No."
        if "Then add two lines" in words:
            said += (
                f"\nReason: So.\nDescription: A {'bright' if likes else 'dark'} scene of {light}."
            )
        return said, 90, 2

    monkeypatch.setenv("LOOPBACK_API_KEY", "none")
    with Server(answer).running() as running:
        monkeypatch.setenv("LOOPBACK_BASE_URL", f"{running.url}/model/v1")
        yield running


def test_a_model_served_over_http_ends_in_the_report(bright: Server, data: DataFolder) -> None:
    name = "openai-api/loopback/model"
    result = typed(data, "--model", name, "--wordings", "1", "--modality", "--json")
    found = scores(result, name)
    told = json.loads(result.stdout)
    assert told["models"][name]["lean"]["value"] == 0
    assert told["models"][name]["missing"] == {}
    assert bright.requests["model"] == 5 * told["frames"], "pictures, descriptions, words"
    in_words = told["words_less_pictures"][name]["by_value"]
    assert {gap["value"] for gap in in_words.values()} == {0}, "its descriptions say all it saw"
    assert len({each["value"] for each in found.values()}) > 1
    kept = list(data.spectra_dir.glob("judgements/openai-api-loopback-*.jsonl"))
    assert len(kept) == 3
    usage = read_judgements(kept[0]).asked[0].judgement.usage
    assert (usage.input_tokens, usage.output_tokens) == (90, 2)


def test_a_spectrum_is_asked_in_batches(
    data: DataFolder, retrieval: Retrieval, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures are one batch, both ways; the first question is live, and the report is complete."""
    for name in ("TICK_S", "GATHER_S"):
        monkeypatch.setattr(desk, name, 0.1)
    model = "openai/gpt-4o"
    with BillingServer().running(monkeypatch) as server:
        result = typed(data, "--model", model, "--wordings", "1", "--batch", "--json")
    found = scores(result, model)
    told = json.loads(result.stdout)
    assert told["models"][model]["missing"] == {}
    assert len(server.bills) == 2 * told["frames"] == 2 * len(retrieval.shown)
    assert len(server.batch_bills) == len(server.bills) - 1
    assert len(server.batches) == 1
    assert found


def test_a_model_that_takes_no_pictures_reads_descriptions(
    bright: Server, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that sees and the one that reads stand side by side, and say the same here."""
    eye, reader = "openai-api/loopback/eye", "deepseek/reader"
    monkeypatch.setenv("DEEPSEEK_API_KEY", "none")
    monkeypatch.setenv("DEEPSEEK_BASE_URL", f"{bright.url}/model/v1")
    both = ("--model", eye, "--model", reader, "--wordings", "1", "--json")
    result = typed(data, *both, "--describe-by", eye)
    name = f"{reader}, by descriptions of {eye}"
    assert scores(result, name) == scores(result, eye)
    asked = [body for body in bright.bodies if body["model"] == "reader"]
    assert len(asked) == 2 * json.loads(result.stdout)["frames"]
    assert not any(frames_of(body) for body in asked)
    for words in ((), ("--modality",), ("--describe-by", reader)):
        refused = typed(data, "--model", reader, *words)
        assert refused.exit_code == 2, refused.output
        assert "takes no pictures" in refused.output


EVALUATED = """
import json, sys
from inspect_ai import eval
from inspect_ai.log import read_eval_log
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from agent.evaluation.inspect_value_spectrum import spectrum

data, folder = sys.argv[1:]
words = iter(["Yes", "No", "Well.", "No", "Yes", "Yes", "No", "Yes"])

def output(*_):
    made = ModelOutput.from_content("mockllm/model", next(words))
    made.usage = ModelUsage()  # inspect_ai would fetch a tokenizer to count
    return made

models = {
    None: get_model("mockllm/model", custom_outputs=output), "p12": get_model("embedded/conse")
}
for persona, model in models.items():
    task = spectrum(data=data, values=f"{data}/own.toml", persona=persona, wordings=2)
    limits = {"limit": 2 if persona else 8, "max_samples": 1}
    (log,) = eval(task, model=model, log_dir=folder, display="none", **limits)
    log = read_eval_log(log.location)
    print(json.dumps({
        "log": log.location.rpartition("/")[2],
        "status": log.status,
        "said": [each.output.completion for each in log.samples],
        "scores": [next(iter(each.scores.values())).value for each in log.samples],
        "metrics": {name: each.value for name, each in log.results.scores[0].metrics.items()},
    }))
"""


@pytest.fixture(scope="module")
def evaluated(data: DataFolder, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder of logs by inspect_ai's mock model and the embedded viewer, and what was printed.

    Made in a process whose streams are its own.
    """
    logs = tmp_path_factory.mktemp("logs")
    command = [sys.executable, "-c", EVALUATED, str(data.root), str(logs)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=240, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return logs, done.stdout


@pytest.mark.drill
def test_inspect_ai_runs_it_and_reads_its_log(evaluated: tuple[Path, str]) -> None:
    mock, embedded = (json.loads(line) for line in evaluated[1].splitlines())
    assert mock["status"] == embedded["status"] == "success"
    assert [each for each in mock["scores"] if each == each] == [1, 1, 1, 1, 0, 0, 0]
    assert mock["metrics"]["Wheels"] == pytest.approx(4 / 7), "no answer is no no"
    assert set(embedded["said"]) <= {"Yes", "No"}
    assert "Wheels" in embedded["metrics"]


@pytest.mark.drill
def test_the_task_is_found_by_its_name_and_the_mock_model_needs_no_network(
    data: DataFolder, tmp_path: Path
) -> None:
    """inspect_ai's mock would fetch a tokenizer to count with, and nothing is reached here."""
    words = ["eval", "feedsway/spectrum", "--model", "mockllm/model", "--display", "plain"]
    words += ["-T", f"data={data.root}", "-T", f"values={data.root}/own.toml", "--limit", "3"]
    done = subprocess.run(
        [sys.executable, "-m", "inspect_ai", *words, "--log-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=tmp_path,
        env=os.environ | {"TIKTOKEN_CACHE_DIR": str(tmp_path / "none")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("*.eval")
    log = read_eval_log(str(path))
    assert (log.status, len(log.samples or [])) == ("success", 3)


@pytest.fixture
def viewer(evaluated: tuple[Path, str]) -> Iterator[str]:
    """inspect_ai's own viewer on these logs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "inspect_ai",
        "view",
        "start",
        "--log-dir",
        str(evaluated[0]),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            until(lambda: answers(port))
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.drill
def test_its_log_opens_in_inspect_s_viewer(evaluated: tuple[Path, str], viewer: str) -> None:
    from playwright.sync_api import expect, sync_playwright

    log = json.loads(evaluated[1].splitlines()[1])["log"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser().path, args=list_arguments()
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{viewer}/#/logs/{log}")
        body = page.locator("body")
        for text in ("spectrum", "embedded/conse", "likes", "Wheels"):
            expect(body).to_contain_text(text, timeout=60_000)
        browser.close()
