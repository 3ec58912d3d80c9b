"""What the soaks' daemons are given to do."""

from __future__ import annotations

from pathlib import Path

LIMITS = """\
[limits]
parallel = {parallel}
retry = "1s"
breaker = "20s"
index = "{index}"
disk_mib = 100
memory_mib = 100
[page]
port = 0
"""
RUN = """
[[entry]]
name = "{name}"
every = "{every}"
attempts = {attempts}
deadline = "10m"
run = {{ persona = "{name}", account = "{name}-a", before = {videos}, after = {videos}{more} }}
"""
STUDY = """
[[entry]]
name = "two-arms"
study = "{file}"
every = "{every}"
attempts = {attempts}
deadline = "30m"
adds_replicate = true
"""
DECLARED = """\
name = "soak"
seed = 7
[matrix]
personas = {personas}
arms = ["treatment", "passive"]
[windows]
before = {videos}
adapt = 0
after = {videos}
baseline = "passive"
[pace]
parallel = 2
attempts = 5
together = true
"""
SIX = ["p05", "p09", "p12", "p16", "p21", "p30"]


def runs(names: list[str], *, every: str, videos: int, attempts: int = 3, more: str = "") -> str:
    """Return entries of runs, one a persona."""
    return "".join(
        RUN.format(name=name, every=every, videos=videos, attempts=attempts, more=more)
        for name in names
    )


def small(every: str = "30s", videos: int = 2, attempts: int = 6, more: str = "") -> str:
    """Two personas."""
    return LIMITS.format(parallel=2, index="1h") + runs(
        ["p12", "p05"], every=every, videos=videos, attempts=attempts, more=more
    )


def large(folder: Path, *, every: str = "4m", videos: int = 4, attempts: int = 8) -> str:
    """Six personas in two arms, and two personas that run by themselves."""
    names = str(SIX).replace("'", '"')
    file = folder / "study.toml"
    file.write_text(DECLARED.format(personas=names, videos=videos), encoding="utf-8")
    text = LIMITS.format(parallel=3, index="2m")
    text += STUDY.format(file=file, every=every, attempts=attempts)
    return text + runs(["p12", "p05"], every=every, videos=videos, attempts=attempts)
