"""Exports preference pairs in TRL's vision preference format, as ``datasets`` read it.

One row a pair that passed its checks: ``images``, ``prompt``, ``chosen``, ``rejected``, the texts
as chats, and what else is known of it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from store.dataset import manifest
from store.dataset.card import NAME as CARD
from store.dataset.card import blur_words, split_lines
from store.dataset.leaks import refuse_leaks
from store.dataset.pseudonyms import KnownPeople, Pseudonyms, key_of, known_runs
from store.dataset.published_pictures import Blur, bare
from store.dataset.rows import SPLITS, By, Row, assign
from store.errors import DamagedFrame, DataUnreadable, DataUnwritable
from store.frames.frame_store import FrameStore
from store.jsonl.atomic import write_whole
from store.results.preference_pairs import ERRORS, NoPairs, PreferencePair, PreferencePairs
from store.runs.data_folder import DataFolder
from store.runs.recorded_model_names import invents
from store.terminal.printing import count_of

TEXTS = (
    "id",
    "kind",
    "split",
    "platform",
    "video",
    "persona",
    "frame",
    "run",
    "statement",
    "error_statement",
    "swapped_out",
    "swapped_in",
)
_CHATS = ("prompt", "chosen", "rejected")
_GROUP = 200
_MADE_UP = (
    "- **The texts are made up by a script that does not look: they show how such a collection is "
    "made, and say nothing about the frames.**"
)

Item = tuple[Row, bytes]


@dataclass(frozen=True)
class PairFigures:
    """What is to be known of the pairs, for the card."""

    lines: Sequence[str] = ()
    """Markdown."""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """PNG files by name."""


@dataclass(frozen=True, slots=True)
class PairsChoice:
    """How pairs are exported."""

    keep_handles: bool = False
    blur: bool = False
    split_by: By = "videos"


@dataclass(slots=True)
class _Export:
    rows: list[Row]
    names: Pseudonyms | None
    blur: Blur | None
    choice: PairsChoice
    problems: list[str]
    written: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PreferenceExport:
    """What an export did."""

    folder: Path
    splits: dict[str, int]
    problems: tuple[str, ...]
    """Frames that could not be read, in words; their pairs are left out."""


def export(
    data: DataFolder,
    pairs: PreferencePairs,
    folder: Path,
    findings: PairFigures,
    choice: PairsChoice | None = None,
) -> PreferenceExport:
    """Write the pairs that count to a new or empty folder; by default under pseudonyms.

    Raises ``NoPairs`` where no pair passed its checks, and as ``store.dataset.export.export``.
    """
    made = _begin(data, pairs, choice or PairsChoice())
    if not made.rows:
        raise NoPairs(pairs.path)
    frames = [row["frame"] for row in made.rows]
    try:
        with manifest.staged_export(data, folder, frames) as building:
            for split in SPLITS:
                _write(building, split, _items(data, split, made))
            for name, picture in findings.pictures.items():
                write_whole(building / "figures" / name, picture)
            write_whole(building / CARD, _card(pairs, made, findings).encode())
            if made.names is not None:
                personas = (row["persona"] for row in made.rows)
                own = [pairs.maker.model, pairs.maker.checker, *personas]
                refuse_leaks(building, made.names, own)
            splits = dict(Counter(row["split"] for row in made.written))
            told = {"format": "preferences", "made_at": datetime.now(UTC).isoformat()}
            manifest.finish(building, told | {"rows": splits})
    except OSError as error:
        raise DataUnwritable(folder, error.strerror or str(error)) from None
    return PreferenceExport(folder, splits, tuple(made.problems))


def _begin(data: DataFolder, pairs: PreferencePairs, choice: PairsChoice) -> _Export:
    people, problems = KnownPeople(), list[str]()
    for _ in known_runs(data, people, problems):
        pass  # every creator is known, whichever pairs are exported
    for pair in pairs.pairs:
        people.add(pair.source.platform, pair.source.video, pair.source.author)
    names = None if choice.keep_handles else Pseudonyms(key_of(data.pseudonym_key), people)
    rows = [_row(pairs, pair, names) for pair in pairs.counted]
    assign(rows, choice.split_by)
    return _Export(rows, names, Blur(people) if choice.blur else None, choice, problems)


def _row(pairs: PreferencePairs, pair: PreferencePair, names: Pseudonyms | None) -> Row:
    told, source = pairs.told[source_key(pair)], pair.source
    asked = [("system", told.system)] if told.system else []
    texts = {
        "accepted": pair.accepted,
        "rejected": pair.rejected,
        "statement": pair.statements[0],
        "error_statement": pair.statements[1],
        "swapped_out": pair.swapped[0],
        "swapped_in": pair.swapped[1],
    }
    if names is not None:
        texts = {name: names.text(text, source.author) for name, text in texts.items()}
    accepted, rejected = texts.pop("accepted"), texts.pop("rejected")
    row: Row = {
        "id": pair.name,
        "kind": pair.error,
        "platform": source.platform,
        "video": names.video(source.platform, source.video) if names else source.video,
        "author": names.creator(source.author) if names and source.author else source.author,
        "run": names.run(source.run) if names else source.run,
        "persona": pair.persona,
        "frame": source.frame,
        "phash": source.phash,
        "prompt": _chat(*asked, ("user", told.user)),
        "chosen": _chat(("assistant", accepted)),
        "rejected": _chat(("assistant", rejected)),
    }
    return row | texts


def source_key(pair: PreferencePair) -> tuple[str, str]:
    return pair.source.frame, pair.persona


def _chat(*messages: tuple[str, str]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in messages]


def _items(data: DataFolder, split: str, made: _Export) -> Iterator[Item]:
    frames = FrameStore(data.frames_dir)
    pictures: dict[str, bytes] = {}  # several pairs are about one frame, and follow each other
    for row in made.rows:
        if row["split"] != split:
            continue
        kept = row["frame"]
        try:
            if kept not in pictures:
                jpeg = bare(frames.read(kept))
                pictures = {kept: made.blur(jpeg) if made.blur else jpeg}
        except (DamagedFrame, DataUnreadable, ValueError) as error:
            made.problems.append(f"{row['id']}: {error}")
            continue
        made.written.append(row)
        yield row, pictures[kept]


def _write(folder: Path, split: str, items: Iterator[Item]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    group: list[dict[str, Any]] = []
    sink: Any = None
    schema = _schema(pa)
    try:
        for row, jpeg in items:
            image = {"bytes": jpeg, "path": f"{row['frame']}.jpg"}
            group.append({"images": [image]} | {name: row[name] for name in (*_CHATS, *TEXTS)})
            if sink is None:
                (folder / "data").mkdir(exist_ok=True)
                sink = pq.ParquetWriter(folder / "data" / f"{split}-00000.parquet", schema)
            if len(group) == _GROUP:
                sink.write_table(pa.Table.from_pylist(group, schema=schema))
                group = []
        if group:
            sink.write_table(pa.Table.from_pylist(group, schema=schema))
    finally:
        if sink is not None:
            sink.close()


def _schema(pa: Any) -> Any:
    text: dict[str, Any] = {"dtype": "string", "_type": "Value"}
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    columns = [("images", pa.list_(picture))]
    columns += [(name, pa.list_(message)) for name in _CHATS]
    columns += [(name, pa.string()) for name in TEXTS]
    told: dict[str, Any] = {"images": {"feature": {"_type": "Image"}, "_type": "List"}}
    chat = {"feature": {"role": text, "content": text}, "_type": "List"}
    told |= dict.fromkeys(_CHATS, chat) | dict.fromkeys(TEXTS, text)
    return pa.schema(columns, metadata={"huggingface": json.dumps({"info": {"features": told}})})


def _card(pairs: PreferencePairs, made: _Export, findings: PairFigures) -> str:
    rows = made.written
    splits = Counter(row["split"] for row in rows)
    front = ["---", "pretty_name: Preference pairs about frames of short videos", "license: other"]
    front += ["configs:", "- config_name: default", "  data_files:"]
    for split in SPLITS:
        if splits[split]:
            front += [f"  - split: {split}", f'    path: "data/{split}-*.parquet"']
    maker = pairs.maker
    checked = "the same model, blind" if maker.checker == maker.model else f"`{maker.checker}`"
    names = "as they were" if made.names is None else "replaced by pseudonyms"
    kinds = [
        f"| {kind} | {' | '.join(str(_count(rows, kind, split)) for split in SPLITS)} |"
        for kind in ERRORS
    ]
    return "\n".join(
        [
            *front,
            "---\n",
            "# Preference pairs about frames of short videos\n",
            f"{count_of(len(rows), 'pair')} about "
            f"{count_of(len({row['frame'] for row in rows}), 'frame')}. `chosen` is "
            "what was accepted of a frame; `rejected` is the same with one error of the named "
            f"kind in it. Written by `{maker.model}`, checked by {checked}. The columns `images`, "
            "`prompt`, `chosen` and `rejected` are TRL's vision preference format.\n",
            "## Composition\n",
            f"| kind | {' | '.join(SPLITS)} |",
            f"|---|{'---|' * len(SPLITS)}",
            *kinds,
            "\n## Splits\n",
            *split_lines(rows, made.choice.split_by, "pairs"),
            "## Checks\n",
            *findings.lines,
            *(f"\n![{name}](figures/{name})" for name in findings.pictures),
            "\n## People and rights\n",
            f"Creators' handles and ids of videos are {names}. "
            f"{blur_words(made.blur, len({row['frame'] for row in rows}))} Frames of the "
            "playground come under its own terms; other videos belong to their creators.\n",
            "## Known gaps\n",
            *([_MADE_UP] if invents(maker.model) else []),
            "- What is accepted is what a model said and a model found true; no person looked.",
            "- Two texts that differ in one word are no sample of the mistakes that models make.",
            "- A feed is what one account was shown: no sample of a platform.\n",
        ]
    )


def _count(rows: Sequence[Row], kind: str, split: str) -> int:
    return sum(row["kind"] == kind and row["split"] == split for row in rows)
