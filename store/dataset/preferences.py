"""Exports preference pairs in TRL's vision preference format, as ``datasets`` read it.

One row a pair that passed its checks: ``images``, ``prompt``, ``chosen``, ``rejected``, the texts
as chats, and what else is known of it. Splits go by video. Refuses to judge the pairs: what is to
be known of them comes as words and pictures.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from store.data import DataFolder
from store.dataset import manifest
from store.dataset.card import NAME as CARD
from store.dataset.pictures import bare
from store.dataset.pseudonyms import Pseudonyms, key_of
from store.dataset.splits import SPLITS, Row, assign, mark_duplicates
from store.errors import BadExport, DamagedFrame, DataUnreadable, DataUnwritable
from store.files import write_whole
from store.frames import FrameStore
from store.pairs import ERRORS, NoPairs, Pair, Pairs

TEXTS = (
    "id", "kind", "split", "platform", "video", "persona", "frame", "run", "statement",
    "error_statement", "swapped_out", "swapped_in",
)  # fmt: skip
"""Text columns beside those that TRL reads."""
_CHATS = ("prompt", "chosen", "rejected")
_GROUP = 200
_MADE_UP = (
    "- **The texts are made up by a script that does not look: they show how such a collection is "
    "made, and say nothing about the frames.**"
)

Item = tuple[Row, bytes]


@dataclass(frozen=True)
class Findings:
    """What is to be known of the pairs, for the card."""

    lines: Sequence[str] = ()
    """Markdown."""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """PNG files by name."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did."""

    folder: Path
    splits: dict[str, int]
    problems: tuple[str, ...]
    """Frames that could not be read, in words; their pairs are left out."""


def export(
    data: DataFolder, pairs: Pairs, folder: Path, findings: Findings, *, keep_handles: bool = False
) -> Exported:
    """Write the pairs that count to a new folder.

    Parameters
    ----------
    folder
        New, or empty, and not in the data folder.
    keep_handles
        Leave creators' handles and ids of videos as they are.

    Raises
    ------
    NoPairs
        No pair passed its checks.
    BadExport
        The folder holds something.
    DataUnwritable
        The disk refused. The folder says that it is not finished.
    """
    if folder.resolve().is_relative_to(data.root.resolve()):
        raise BadExport(folder, "lies in the data folder")
    rows = _rows(data, pairs, keep_handles=keep_handles)
    if not rows:
        raise NoPairs(pairs.path)
    problems: list[str] = []
    written: list[Row] = []
    try:
        manifest.begin(folder)
        for split in SPLITS:
            _write(folder, split, _items(data, rows, split, written, problems))
        for name, picture in findings.pictures.items():
            write_whole(folder / "figures" / name, picture)
        write_whole(folder / CARD, _card(pairs, written, findings, keep_handles).encode())
        splits = dict(Counter(row["split"] for row in written))
        told = {"format": "preferences", "made_at": datetime.now(UTC).isoformat(), "rows": splits}
        manifest.finish(folder, told)
    except OSError as error:
        raise DataUnwritable(folder, error.strerror or str(error)) from None
    return Exported(folder, splits, tuple(problems))


def _rows(data: DataFolder, pairs: Pairs, *, keep_handles: bool) -> list[Row]:
    handles = {pair.source.author for pair in pairs.counted if pair.source.author}
    names = None if keep_handles else Pseudonyms(key_of(data.pseudonym_key), handles)
    rows = [_row(pairs, pair, names) for pair in pairs.counted]
    mark_duplicates(rows)
    assign(rows, "videos")
    return rows


def _row(pairs: Pairs, pair: Pair, names: Pseudonyms | None) -> Row:
    told, source = pairs.told[source_key(pair)], pair.source
    asked = [("system", told.system)] if told.system else []
    texts = {
        "accepted": pair.accepted, "rejected": pair.rejected,
        "statement": pair.statements[0], "error_statement": pair.statements[1],
        "swapped_out": pair.swapped[0], "swapped_in": pair.swapped[1],
    }  # fmt: skip
    if names is not None:
        texts = {name: names.text(text, source.author) for name, text in texts.items()}
    accepted, rejected = texts.pop("accepted"), texts.pop("rejected")
    row: Row = {
        "id": pair.name, "kind": pair.error, "platform": source.platform,
        "video": names.video(source.platform, source.video) if names else source.video,
        "persona": pair.persona, "frame": source.frame, "run": source.run, "phash": source.phash,
        "prompt": _chat(*asked, ("user", told.user)),
        "chosen": _chat(("assistant", accepted)),
        "rejected": _chat(("assistant", rejected)),
    }  # fmt: skip
    return row | texts


def source_key(pair: Pair) -> tuple[str, str]:
    """Which accepted text a pair is about."""
    return pair.source.frame, pair.persona


def _chat(*messages: tuple[str, str]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in messages]


def _items(
    data: DataFolder, rows: Sequence[Row], split: str, written: list[Row], problems: list[str]
) -> Iterator[Item]:
    """Rows of a split with their pictures, which lose their metadata."""
    frames = FrameStore(data.frames_dir)
    for row in rows:
        if row["split"] != split:
            continue
        try:
            jpeg = bare(frames.read(row["frame"]))
        except (DamagedFrame, DataUnreadable, ValueError) as error:
            problems.append(f"{row['id']}: {error}")
            continue
        written.append(row)
        yield row, jpeg


def _write(folder: Path, split: str, items: Iterator[Item]) -> None:
    """``data/<split>-00000.parquet``; no file for a split without rows."""
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
    """The columns, and in Hugging Face's words what they hold."""
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


def _card(pairs: Pairs, rows: Sequence[Row], findings: Findings, keep_handles: bool) -> str:
    """The card's text, once the rows are written."""
    splits = Counter(row["split"] for row in rows)
    front = ["---", "pretty_name: Preference pairs about frames of short videos", "license: other"]
    front += ["configs:", "- config_name: default", "  data_files:"]
    for split in SPLITS:
        if splits[split]:
            front += [f"  - split: {split}", f'    path: "data/{split}-*.parquet"']
    maker = pairs.maker
    checked = "the same model, blind" if maker.checker == maker.model else f"`{maker.checker}`"
    names = "as they were" if keep_handles else "replaced by pseudonyms"
    kinds = [
        f"| {kind} | {' | '.join(str(_count(rows, kind, split)) for split in SPLITS)} |"
        for kind in ERRORS
    ]
    return "\n".join(
        [
            *front,
            "---\n",
            "# Preference pairs about frames of short videos\n",
            f"{len(rows)} pairs about {len({row['frame'] for row in rows})} frames. `chosen` is "
            "what was accepted of a frame; `rejected` is the same with one error of the named "
            f"kind in it. Written by `{maker.model}`, checked by {checked}. The columns `images`, "
            "`prompt`, `chosen` and `rejected` are TRL's vision preference format.\n",
            "## Composition\n",
            f"| kind | {' | '.join(SPLITS)} |",
            f"|---|{'---|' * len(SPLITS)}",
            *kinds,
            "\nPairs about one video, and about near-duplicates, are all in the same split.\n",
            "## Checks\n",
            *findings.lines,
            *(f"\n![{name}](figures/{name})" for name in findings.pictures),
            "\n## People and rights\n",
            f"Creators' handles and ids of videos are {names}. The pictures are not changed but "
            "for their metadata: faces and names in them can be seen. Frames of the playground "
            "come under its own terms; other videos belong to their creators.\n",
            "## Known gaps\n",
            *([_MADE_UP] if maker.model.startswith("scripted/") else []),
            "- What is accepted is what a model said and a model found true; no person looked.",
            "- Two texts that differ in one word are no sample of the mistakes that models make.",
            "- A feed is what one account was shown: no sample of a platform.\n",
        ]
    )


def _count(rows: Sequence[Row], kind: str, split: str) -> int:
    return sum(row["kind"] == kind and row["split"] == split for row in rows)
