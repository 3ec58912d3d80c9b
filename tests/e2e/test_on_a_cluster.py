"""Commands on simulated clusters do what one machine does, whatever is killed meanwhile."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from agent.cli import cli
from store.index import chroma
from store.index.build import update
from store.index.embedded_folder import folders
from store.jsonl.atomic import write_whole
from store.maintenance.verify import verify
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import PersonaRecord
from store.runs.rejudgements import RejudgementKey, judgement_files, read_judgements
from tests.agent.models import tiny
from tests.agent.study.test_shards import study_file
from tests.store.cluster.ray_nodes import SimulatedNodes, run_under_kills, simulated_nodes
from tests.store.samples import COLOURS, ColourEncoder, keep_run

COIN = "scripted/coin?p=0.5"
PYTHON = [sys.executable, "-W", "error"]
EMBED = """
import sys
from pathlib import Path
from store.cluster.cluster_address import ClusterAddress
from store.cluster.ray_cluster import Cluster
from store.index.build import update
from store.index.cluster_encoder import ClusterEncoder
from store.runs.data_folder import DataFolder
from tests.store.cluster.slow_encoder import SlowEncoder
with (
    Cluster.connect(ClusterAddress()) as cluster,
    ClusterEncoder.open(cluster, SlowEncoder) as encoder,
):
    done = update(DataFolder(Path(sys.argv[1])), encoder)
    print(done.added, len(done.problems), *done.problems)
"""
DIES_AT_LOADING = """
import os
from store.cluster.cluster_address import ClusterAddress
from store.cluster.errors import StartLost
from store.cluster.ray_cluster import Cluster
from store.index.cluster_encoder import ClusterEncoder
with Cluster.connect(ClusterAddress()) as cluster:
    try:
        with ClusterEncoder.open(cluster, lambda: os._exit(1)):
            pass
    except StartLost as error:
        print(error)
"""
Said = dict[str, dict[RejudgementKey, list[str | None]]]


def keep_study(folder: Path, runs: int, steps: int) -> DataFolder:
    """A study of complete runs, each by a persona of its own; no two frames are alike."""
    data = DataFolder(folder)
    for number in range(runs):
        name = f"p{number:02}"
        who = PersonaRecord(id=name, traits=(f"I like {name}.",), source="made", licence="MIT")
        colours = [COLOURS[(number + place) % len(COLOURS)] for place in range(steps)]
        keep_run(data, f"r-{name}", colours, persona=who, config={"study": "many", "cell": name})
    write_whole(data.study_dir("many") / "study.toml", b"")
    return data


def answers(data: DataFolder) -> Said:
    """What was said to each question, by file; none is doubled."""
    found: Said = {}
    for ledger in data.ledgers():
        for path in judgement_files(ledger.parent):
            lines = read_judgements(path).lines
            found[path.relative_to(data.root).as_posix()] = {
                line.key: [line.judgement.answer, line.judgement.missing] for line in lines
            }
            assert len(found[path.relative_to(data.root).as_posix()]) == len(lines)
    return found


def vectors(data: DataFolder) -> dict[str, NDArray[np.float32]]:
    (folder,) = folders(data.index_dir)
    found: dict[str, NDArray[np.float32]] = {}
    with folder.opened() as path, chroma.engine(path) as client:
        collection = chroma.find(client, folder.name)
        assert collection is not None
        for rows, part in chroma.rows(collection, sorted(chroma.ids(collection))):
            found.update({row[0]: vector for row, vector in zip(rows, part, strict=True)})
    return found


def check_indexes(one: DataFolder, many: DataFolder, frames: int) -> None:
    mine, theirs = vectors(one), vectors(many)
    assert mine.keys() == theirs.keys()
    assert len(mine) == frames
    assert max(float(np.abs(mine[key] - theirs[key]).max()) for key in mine) < 1e-6


def rejudging(data: DataFolder, model: str, *words: str) -> list[str]:
    asked = ["rejudge", "many", "--everyone", "--mirrored", "--model", model]
    return [*PYTHON, "-m", "agent", *asked, "--data", str(data.root), *words]


def copied(data: DataFolder, folder: Path) -> DataFolder:
    shutil.copytree(data.root, folder)
    return DataFolder(folder)


def typed(words: list[str], nodes: SimulatedNodes) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, env=nodes.environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def nodes() -> Iterator[SimulatedNodes]:
    with simulated_nodes(2, browsers=1) as made:
        yield made


def test_a_cluster_answers_as_one_machine_does(tmp_path: Path, nodes: SimulatedNodes) -> None:
    one = keep_study(tmp_path / "one", runs=3, steps=6)
    many = copied(one, tmp_path / "many")
    alone = rejudging(one, COIN)[len(PYTHON) + 2 :]
    assert CliRunner().invoke(cli, alone, catch_exceptions=False).exit_code == 0
    done = typed(rejudging(many, COIN, "--on", "ray"), nodes)
    assert (done.returncode, done.stderr) == (0, "Joined a cluster: 3 nodes.\n")
    assert "108 questions answered about 3 runs." in done.stdout
    assert answers(many) == answers(one)
    assert sum(map(len, answers(many).values())) == 3 * 3 * 6 * 2


def test_a_cluster_indexes_as_one_machine_does(tmp_path: Path, nodes: SimulatedNodes) -> None:
    """A frame that is damaged is named, as it is there."""
    one = keep_study(tmp_path / "one", runs=2, steps=40)
    min(one.frames_dir.glob("??/*.jpg")).write_bytes(b"changed")
    many = copied(one, tmp_path / "many")
    done = typed([*PYTHON, "-c", EMBED, str(many.root)], nodes)
    assert done.stdout.startswith(f"79 1 {many.frames_dir}"), done.stderr
    update(one, ColourEncoder())
    check_indexes(one, many, frames=79)


@pytest.mark.drill
def test_actors_that_die_while_they_load_end_the_command(nodes: SimulatedNodes) -> None:
    """As where a node has too little memory for the model; what ended them is said."""
    words = [*PYTHON, "-c", DIES_AT_LOADING]
    done = subprocess.run(
        words, env=nodes.environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.startswith("10 actors in a row have ended on one node"), done.stderr


def test_a_live_account_needs_its_node(tmp_path: Path, nodes: SimulatedNodes) -> None:
    file = study_file(tmp_path)
    file.write_text(file.read_text().replace("playground", "tiktok"))
    words = ["study", str(file), "--on", "ray", "--data", str(tmp_path / "data")]
    done = typed([*PYTHON, "-m", "agent", *words], nodes)
    assert done.returncode == 2, done.stderr
    assert "No node of the cluster has the account:small-slot001-treatment-" in done.stderr
    assert 'ray start --address=HEAD:6379 --resources=\'{"browser": 1, "account:' in done.stderr


@pytest.mark.drill
def test_a_checkpoint_that_no_node_has_is_named(tmp_path: Path, nodes: SimulatedNodes) -> None:
    data = keep_study(tmp_path, runs=1, steps=2)
    words = ["index", "--encoder", "open_clip:ViT-B-32/nowhere.pt", "--on", "ray"]
    done = typed([*PYTHON, "-m", "store", *words, "--data", str(data.root)], nodes)
    assert done.returncode == 2, done.stderr
    assert "A node of the cluster cannot do the work: The encoder 'open_clip:" in done.stderr


@pytest.mark.drill
@pytest.mark.parametrize("name", ["embedded/conse", "hfvlm"])
def test_local_models_answer_on_nodes_as_they_do_here(
    tmp_path: Path, nodes: SimulatedNodes, name: str
) -> None:
    folder = tmp_path / "tiny"
    model = name if name != "hfvlm" else f"hfvlm/{tiny.save_llava(folder)}"
    one = keep_study(tmp_path / "one", runs=2, steps=5)
    many = copied(one, tmp_path / "many")
    for data, more in ((one, ()), (many, ("--on", "ray"))):
        words = [sys.executable, *rejudging(data, model, *more)[len(PYTHON) :]]
        assert typed(words, nodes).returncode == 0
    assert answers(one) == answers(many)
    mine, theirs = shares(one), shares(many)
    assert mine == pytest.approx(theirs, abs=1e-5)
    assert len(mine) == 2 * 2 * 5 * 2


def shares(data: DataFolder) -> list[float]:
    """Probabilities of a yes, by question."""
    files = [path for ledger in data.ledgers() for path in judgement_files(ledger.parent)]
    lines = [line for path in files for line in read_judgements(path).lines]
    lines.sort(key=lambda line: str(line.key))
    return [line.judgement.p_yes for line in lines if line.judgement.p_yes is not None]


@pytest.mark.drill
def test_ctrl_c_keeps_what_was_answered(tmp_path: Path) -> None:
    data = keep_study(tmp_path, runs=3, steps=6)
    words = rejudging(data, f"{COIN}&latency=1", "--on", "ray")
    with simulated_nodes(2) as nodes:
        with subprocess.Popen(words, env=nodes.environment, stderr=subprocess.DEVNULL) as child:
            while not any(answers(data).values()):
                assert child.poll() is None
                time.sleep(0.1)
            child.send_signal(signal.SIGINT)
            assert child.wait(60) == 130
        kept = sum(map(len, answers(data).values()))
        assert 0 < kept < 108
        done = typed(words, nodes)
    assert f"{108 - kept} questions answered" in done.stdout, done.stderr
    assert sum(map(len, answers(data).values())) == 108


@pytest.mark.drill
def test_no_answer_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    one = keep_study(tmp_path / "one", runs=6, steps=20)
    many = copied(one, tmp_path / "many")
    alone = rejudging(one, COIN)[len(PYTHON) + 2 :]
    assert CliRunner().invoke(cli, alone, catch_exceptions=False).exit_code == 0
    with simulated_nodes(3) as nodes:
        words = rejudging(many, f"{COIN}&latency=2", "--on", "ray")
        code, said = run_under_kills(nodes, words, seed=1, most=17, every_s=(2, 6))
    sys.stderr.write(f"{nodes.killed} {said}\n")
    assert code == 0, said
    assert sum(nodes.killed.values()) == 17
    assert [*answers(many).values()] == [*answers(one).values()]  # files are named by the model
    assert sum(map(len, answers(many).values())) == 6 * 6 * 20 * 2
    assert verify(many).sound


@pytest.mark.drill
def test_no_frame_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    one = keep_study(tmp_path / "one", runs=5, steps=1000)
    many = copied(one, tmp_path / "many")
    with simulated_nodes(3) as nodes:
        words = [*PYTHON, "-c", EMBED, str(many.root)]
        code, said = run_under_kills(nodes, words, seed=2, most=17, every_s=(1, 4))
    sys.stderr.write(f"{nodes.killed} {said}\n")
    assert code == 0, said
    assert sum(nodes.killed.values()) == 17
    assert "5000 0" in said
    update(one, ColourEncoder())
    check_indexes(one, many, frames=5000)
    assert verify(many).sound


@pytest.mark.drill
def test_no_cell_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    file = study_file(tmp_path)
    text = file.read_text().replace("before = 3", "before = 8").replace("after = 3", "after = 8")
    file.write_text(text)  # else an idle machine is done before it was killed so often
    words = [*PYTHON, "-m", "agent", "study", str(file), "--on", "ray", "--data", str(data.root)]
    with simulated_nodes(3, browsers=1) as nodes:
        code, said = run_under_kills(nodes, words, seed=3, most=17, every_s=(3, 8))
        sys.stderr.write(f"{nodes.killed} {said}\n")
        assert code == 0, said
        assert "raylet" not in said
        assert sum(nodes.killed.values()) >= 16
        runs = data.runs()
        cells = Counter(run.started.config["cell"] for run in runs if run.started)
        assert (len(cells), set(cells.values())) == (12, {1})
        assert {run.status for run in runs} == {"complete"}
        assert "Study small is complete." in typed(words, nodes).stdout
        assert len(data.runs()) == 12
    assert verify(data).sound


@pytest.mark.drill
def test_a_study_on_a_cluster_goes_on_after_ctrl_c_and_kill(tmp_path: Path) -> None:
    """Its children end with it, wherever they are, and the same command does the rest."""
    data, file = DataFolder(tmp_path / "data"), study_file(tmp_path)
    words = [*PYTHON, "-m", "agent", "study", str(file), "--on", "ray", "--data", str(data.root)]
    with simulated_nodes(1) as nodes:
        done = typed(words, nodes)
        assert (done.returncode, "has browsers" in done.stderr) == (2, True), done.stderr
    with simulated_nodes(2, browsers=1) as nodes:
        for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
            before = opened_steps(data)
            with subprocess.Popen(words, env=nodes.environment, stdout=-3, stderr=-3) as child:
                while opened_steps(data) < before + 3:
                    assert child.poll() is None
                    time.sleep(0.1)
                child.send_signal(number)
                assert child.wait(90) == code
            until = time.monotonic() + 60
            while any(str(data.root) in " ".join(words) for words in running_commands()):
                assert time.monotonic() < until
                time.sleep(0.2)
        done = typed(words, nodes)
    assert "Study small is complete." in done.stdout, done.stderr
    cells = Counter(run.started.config["cell"] for run in data.runs() if run.started)
    assert (len(cells), set(cells.values())) == (12, {1})
    assert verify(data).sound


def opened_steps(data: DataFolder) -> int:
    return sum(path.read_bytes().count(b"step_opened") for path in data.ledgers())


def running_commands() -> list[list[str]]:
    return [each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"])]


@pytest.mark.drill
@pytest.mark.timing
def test_more_nodes_answer_more(tmp_path: Path) -> None:
    """With a model that takes its time, N nodes answer 0.9 N times what one does, or more."""
    begun = keep_study(tmp_path / "begun", runs=4, steps=20)
    rates = {}
    with simulated_nodes(4) as nodes:
        for count in (4, 3, 2, 1):
            rates[count] = measure_rate(copied(begun, tmp_path / str(count)), nodes)
            nodes.cluster.remove_node(nodes.nodes.pop())
    sys.stderr.write(f"questions a second: {rates}\n")
    for count, each in rates.items():
        assert each >= 0.9 * count * rates[1], rates


def measure_rate(data: DataFolder, nodes: SimulatedNodes) -> float:
    """Questions a second, once a quarter is answered: by then every node has its actor."""
    seen: list[tuple[float, int]] = []
    words = rejudging(data, f"{COIN}&latency=1", "--on", "ray")
    with subprocess.Popen(words, env=nodes.environment) as child:
        while child.poll() is None:
            files = [path for one in data.ledgers() for path in judgement_files(one.parent)]
            seen.append((time.monotonic(), sum(each.read_bytes().count(b"\n") for each in files)))
            time.sleep(0.05)
    assert child.returncode == 0
    total = seen[-1][1]
    first = next(each for each in seen if each[1] >= 0.25 * total)
    last = next(each for each in seen if each[1] >= 0.9 * total)
    return (last[1] - first[1]) / (last[0] - first[0])
