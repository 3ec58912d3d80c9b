"""Measures what a short run costs with and without a warm worker: processor time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic
from typing import Any

import psutil

from agent.errors import ModelFailed
from agent.models.local_server.runtime_folder import MARK
from agent.models.local_server.worker_recipe import SETTING
from store.terminal.config_file import NO_FILE

PACKAGES = ("numpy", "pydantic", "playwright.async_api", "scipy.fftpack", "chromadb", "torch")
TOGETHER = 4
_LOOK_S = 0.05
_SEARCH_S = 1.0
_MIB = 2**20
_STAYS_S = "20"
_IMPORT = "import time; start = time.process_time(); import {}; print(time.process_time() - start)"


@dataclass
class RunCost:
    """Of one run, its browser and the playground's own process left out."""

    run_cpu_s: float = 0.0  # of the run's own process
    worker_cpu_s: float = 0.0  # of the worker and its keeper, during the run
    run_mib: float = 0.0
    worker_mib: float = 0.0
    workers: int = 0
    wall_s: float = 0.0

    def as_dict(self) -> dict[str, float]:
        cpu_s = {"cpu_s": self.run_cpu_s + self.worker_cpu_s}
        return {name: round(value, 2) for name, value in (asdict(self) | cpu_s).items()}


class _Meter:
    """Processor time and most memory of processes, by their ids, as they were last seen."""

    def __init__(self) -> None:
        self.cpu_s: dict[int, float] = {}
        self.mib: dict[int, float] = {}

    def look(self, processes: Iterable[psutil.Process], *, at_memory: bool) -> None:
        for process in processes:
            with suppress(psutil.Error):  # it has just ended
                times = process.cpu_times()
                self.cpu_s[process.pid] = times.user + times.system
                if at_memory:
                    used = process.memory_full_info()
                    mib = getattr(used, "pss", used.rss) / _MIB
                    self.mib[process.pid] = max(mib, self.mib.get(process.pid, 0.0))


def measure_warm_start(
    data: Path, browser: str | None, videos: int, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Run the command with the embedded viewer: in its process, first, warm, and four at once.

    Each run judges ``videos``. Processor time is user and system seconds; memory is each process's
    proportional share, where the system tells it. ``browser`` is as the command takes it.
    """
    measured: dict[str, Any] = {"import_cpu_s": {name: _import_s(name) for name in PACKAGES}}
    command = [sys.executable, "-P", "-m", "agent", "run", "--persona", "p12", "--speed", "16"]
    command += ["--before", str(videos), "--after", "0"]
    command += [] if browser is None else ["--browser", browser]
    with TemporaryDirectory() as folder:
        runtime = Path(folder)
        for name, stays_s, runs in (
            ("clips are made", "0", 1),
            ("in the run's process", "0", 1),
            ("starts the worker", _STAYS_S, 1),
            ("warm", _STAYS_S, 1),
            ("warm, four at once", _STAYS_S, TOGETHER),
        ):
            environment = {"XDG_RUNTIME_DIR": folder, SETTING: stays_s}
            commands = [[*command, "--data", str(data / f"{name}-{n}")] for n in range(runs)]
            cost = _measure(commands, environment, runtime)
            tell(f"{name}: {cost.as_dict()}")
            measured[name] = cost.as_dict()
        pause, until = Event(), monotonic() + 2 * float(_STAYS_S)
        while _find_workers(runtime) and monotonic() < until:  # else their folder cannot go
            pause.wait(_SEARCH_S)
    return measured


def _measure(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str], runtime: Path
) -> RunCost:
    start, pause, meter = monotonic(), Event(), _Meter()
    meter.look(_find_workers(runtime), at_memory=False)
    before = sum(meter.cpu_s.values())
    runs = [
        subprocess.Popen(
            command,
            env={**os.environ, **NO_FILE, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    watched, searched = [psutil.Process(run.pid) for run in runs], start
    while any(run.poll() is None for run in runs):
        search = monotonic() - searched > _SEARCH_S  # it reads of every process of the machine
        if search:
            searched = monotonic()
            meter.look(_find_workers(runtime), at_memory=True)
        meter.look(watched, at_memory=search)
        pause.wait(_LOOK_S)
    meter.look(_find_workers(runtime), at_memory=True)
    if any(run.returncode for run in runs):
        raise ModelFailed("A measured run failed. Type: python -m agent doctor")
    own = {run.pid for run in runs}
    others = meter.cpu_s.keys() - own
    return RunCost(
        run_cpu_s=sum(meter.cpu_s[pid] for pid in own) / len(runs),
        worker_cpu_s=(sum(meter.cpu_s[pid] for pid in others) - before) / len(runs),
        run_mib=sum(meter.mib.get(pid, 0.0) for pid in own) / len(runs),
        worker_mib=sum(meter.mib.get(pid, 0.0) for pid in others),
        workers=len(others) // 2,  # each has a keeper
        wall_s=monotonic() - start,
    )


def _find_workers(runtime: Path) -> list[psutil.Process]:
    """Return the workers of a runtime folder, and their keepers."""
    return [each for each in psutil.process_iter() if _is_of(runtime, each)]


def _is_of(runtime: Path, process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        if process.environ().get(MARK, "").startswith(str(runtime)):
            return True
        return any(str(runtime) in word for word in process.cmdline())
    return False


def _import_s(package: str) -> float:
    """Return the processor time of importing a package into a bare Python, in seconds."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", _IMPORT.format(package)],
        capture_output=True,
        text=True,
        check=True,
    )
    return round(float(done.stdout), 2)
