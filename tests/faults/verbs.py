"""The commands that write, as they are typed in a trial, and why some are not tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from tests.faults.scene import AUTHOR, QUESTIONS, STUDY

MODEL = "openai-api/loopback/counts"


@dataclass(frozen=True)
class Verb:
    """A command with its words."""

    name: str
    """Its place in the tree of commands, and a variant in brackets."""
    words: str
    data: str = "data"
    """The folder that is verified in the end; "" where none is written."""
    asks: bool = False
    """Whether a model server is asked."""
    forgets: bool = False
    """Whether lines go on purpose."""
    slow: bool = False
    quick: bool = False
    """Whether it needs no answers in the scene: for the tests of every day."""

    @property
    def command(self) -> str:
        return self.name.partition(" (")[0]

    @property
    def typed(self) -> list[str]:
        package = self.command.split()[0]
        words = [AUTHOR if word == "AUTHOR" else word for word in self.words.split()]
        return [package, *words]


_ASK = f"--model {MODEL} --connections 2 --data data"
_LABEL = f"label {STUDY} --questions {QUESTIONS}"
VERBS = (
    Verb(
        "store forget",
        "forget --author AUTHOR --yes --remove-copies --data data",
        forgets=True,
        quick=True,
    ),
    Verb("store merge", "merge other --data data", quick=True),
    Verb("store backup", "backup out/kept.tar --data data", quick=True),
    Verb("store bundle", f"bundle {STUDY} out/study.bundle.tar --data reported", data="reported"),
    Verb(
        "store restore", "restore in/kept.tar --data out/restored", data="out/restored", quick=True
    ),
    Verb("store export (jsonl)", "export out/set --format jsonl --data data", quick=True),
    Verb("store export (parquet)", "export out/set --format parquet --data data"),
    Verb("store export (webdataset)", "export out/set --format webdataset --data data"),
    Verb("store export (csv)", "export out/set --format csv --data data", quick=True),
    Verb("store export (xlsx)", "export out/set --format xlsx --data data"),
    Verb(
        "store import",
        "import in/shots --captions in/captions.csv --name shots --data data",
        quick=True,
    ),
    Verb("store protect", "protect --data data", quick=True),
    Verb("store index", "index --encoder colour --data other", data="other", slow=True),
    Verb(
        "store index (anew)",
        "index --rebuild --encoder colour --data indexed",
        "indexed",
        slow=True,
    ),
    Verb(
        "store forget (index)",
        "forget --author AUTHOR --yes --data indexed",
        data="indexed",
        forgets=True,
        slow=True,
    ),
    Verb(
        "store search",
        "search red --encoder colour --sheet out/sheet.png --data indexed",
        data="indexed",
        slow=True,
    ),
    Verb("agent rejudge", f"rejudge {STUDY} --everyone {_ASK}", asks=True, slow=True),
    Verb(
        "agent pairs",
        "pairs --model scripted/editor --kind action --frames 6 --export out/pairs --data data",
        slow=True,
    ),
    Verb("agent probe", f"probe {_ASK}", asks=True, slow=True),
    Verb(
        "agent spectrum",
        f"spectrum --values in/own.toml --encoder colour --model {MODEL} --connections 2 "
        "--data indexed",
        data="indexed",
        asks=True,
        slow=True,
    ),
    Verb("agent label (import)", f"{_LABEL} --by ann --import in/answers.csv --data data"),
    Verb("agent label (draw)", f"{_LABEL} --by bob --seed 2 --sheet out/sheet --data data"),
    Verb("agent label (export)", f"{_LABEL} --export out/labels.csv --data data"),
    Verb("agent import", "import in/user_data_tiktok.json --as donor7 --data data", quick=True),
    Verb("agent film", "film r-ann r-bob --out out/two.png --data data"),
    Verb("agent eval-log", f"eval-log {STUDY} --out out/logs --data data"),
    Verb(
        "agent run (replay)",
        "run --persona p09 --platform replay --of r-ann --no-index --before 4 --after 4 "
        f"--model {MODEL} --data data",
        asks=True,
        slow=True,
    ),
    Verb("analysis report", f"report {STUDY} --out out/report --data data"),
    Verb("analysis paper", f"paper {STUDY} --out out/tables --data data"),
    Verb(
        "analysis import",
        "import in/views.csv --before 8 --after 8 --report out/report --data data",
    ),
    Verb("analysis notebooks", "notebooks out/notebooks", data=""),
    Verb("personas import", "import in/chat.txt --out out/personas --licence MIT", data=""),
)
PAIRS = (
    ("store forget", "store merge"),
    ("store backup", "store import"),
    ("store backup", "agent run (replay)"),
    ("store forget", "agent rejudge"),
    ("store merge", "agent run (replay)"),
    ("store index", "store merge"),
    ("store index (anew)", "store forget (index)"),
    ("store merge", "store merge"),
    ("store forget", "store forget"),
    ("store import", "store import"),
    ("store index", "store index"),
    ("agent rejudge", "agent rejudge"),
)
"""Verbs that are typed at once."""
OTHER_FAULTS = ("disk", "read-only", "descriptors", "memory", "clock")

UNTRIED = {
    "agent align": "trains a model: minutes a call",
    "agent daemon": "its faults are those of the soak",
    "agent judge-check": "keeps no result, only replies, as rejudge does",
    "agent login": "needs a person at a window",
    "agent open": "serves pages; labels are written as by agent label",
    "agent plan": "writes one file as a whole, after a minute of simulation",
    "agent playground": "keeps a site's visitors, which the soak kills",
    "agent record": "needs a live site",
    "agent status": "leaves requests to a daemon, which the soak has",
    "agent study": "its children are agent run; the soak conducts one",
    "store cache": "needs an object store: tests/store/remote has its bad moments",
}
"""Commands that write and are not tried here, with the reason."""
READS = frozenset(
    {
        "agent bench",
        "agent calibrate",
        "agent completion",
        "agent config",
        "agent doctor",
        "analysis bench",
        "analysis compare",
        "analysis designs",
        "analysis iavg",
        "analysis labels",
        "analysis power",
        "analysis reproduce",
        "analysis summary",
        "personas list",
        "personas show",
        "personas values",
        "store bench",
        "store runs",
        "store show",
        "store stats",
        "store verify",
    }
)
"""Commands that keep nothing, but for caches."""


def commands() -> Iterator[str]:
    """Every command of every tree."""
    from agent.cli.script import GROUPS, script

    for name, command in script.commands.items():
        if name not in GROUPS:
            yield f"agent {name}"
            assert not isinstance(command, click.Group), name
    for package, group in GROUPS.items():
        loaded = group.load()
        assert isinstance(loaded, click.Group)
        for name in loaded.commands:
            yield f"{package} {name}"


def find_verb(name: str) -> Verb:
    return next(verb for verb in VERBS if verb.name == name)
