"""What ``--on`` takes, and what it says and loads where no cluster has to do with it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from agent.models import ModelRequest
from store.cli.main import main
from store.cluster.cluster_address import ClusterAddress
from store.runs.data_folder import DataFolder
from tests.store.samples import COLOURS, keep_run

WITHOUT_RAY = "import sys; sys.modules['ray'] = None\n"
"""As Python behaves where a package is not installed."""
LOADED = """
import sys
from pathlib import Path
from agent.cli import cli
from store.index.build import update
from store.runs.data_folder import DataFolder
from tests.store.samples import ColourEncoder
update(DataFolder(Path(sys.argv[1])), ColourEncoder())
words = ['rejudge', 'latest', '--model', 'scripted/yes', '--data', sys.argv[1]]
cli(words, standalone_mode=False)
print(sorted(name for name in sys.modules if name.split('.')[0] == 'ray'))
"""


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path)
    keep_run(data, "r1", COLOURS[:2])
    return data


@pytest.mark.parametrize(
    "code",
    [
        "from store.cli.main import main; main(['index', *sys.argv[1:]])",
        "from agent.cli import cli; cli(['rejudge', '--model', 'scripted/no', *sys.argv[1:]])",
    ],
)
def test_without_ray_one_sentence_says_what_to_install(data: DataFolder, code: str) -> None:
    words = ["--on", "ray", "--data", str(data.root)]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RAY + code, *words, *(["r1"] if "rejudge" in code else [])],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("Ray is not installed. Type: pip install 'feedsway[ray]'\n")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("word", ["slurm", "ray:", "ray://host", "ray://a b:1", "127.0.0.1:6379"])
def test_what_is_no_cluster(tmp_path: Path, word: str) -> None:
    done = CliRunner().invoke(main, ["index", "--on", word, "--data", str(tmp_path)])
    assert (done.exit_code, "Type: --on ray, or --on ray://HOST:10001" in done.stderr) == (2, True)


def test_who_reads_frames_is_one_thing(data: DataFolder) -> None:
    words = ["index", "--on", "ray", "--workers", "2", "--data", str(data.root)]
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, "Type: --workers, or --on" in done.stderr) == (2, True)


def test_nothing_of_ray_is_loaded_where_nobody_asks_for_it(data: DataFolder) -> None:
    """All that it takes to index frames, and to ask about them, loads no module of Ray."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(data.root)], capture_output=True, text=True, check=True
    )
    assert "2 questions answered" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_served_model_is_asked_from_here() -> None:
    """One process pays and books all calls, so that no lost node pays twice."""
    assert ModelRequest("openai/gpt-4o", on=ClusterAddress()).cluster is None
    assert ModelRequest("scripted/yes", on=ClusterAddress()).cluster == ClusterAddress()
    assert ModelRequest("scripted/yes").cluster is None


@pytest.mark.drill
def test_where_there_is_no_cluster_one_is_started(data: DataFolder) -> None:
    """It does the work, and nothing of it listens beyond loopback.

    Where somebody else's runs on this machine, it is joined.
    """
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    model = "scripted/yes?latency=4"
    words = ["rejudge", "r1", "--model", model, "--on", "ray", "--data", str(data.root)]
    heard: set[str] = set()
    with subprocess.Popen(
        [sys.executable, "-m", "agent", *words], env=environment, stdout=-1, stderr=-1, text=True
    ) as child:
        while child.poll() is None:
            for each in _children(child.pid):
                with suppress(psutil.Error):
                    sockets = each.net_connections(kind="inet")
                    heard |= {one.laddr.ip for one in sockets if one.status == "LISTEN"}
            time.sleep(0.2)
        assert child.stdout is not None
        assert child.stderr is not None
        told, said = child.stdout.read(), child.stderr.read()
    assert child.returncode == 0, said
    assert "2 questions answered" in told
    if "one was started" in said:
        assert heard
        loopback = {ip_address(each.removeprefix("::ffff:")).is_loopback for each in heard}
        assert loopback == {True}, heard


def _children(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []
