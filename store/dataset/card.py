"""The dataset card: what an export holds, its sources, its gaps, and who may use it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from store.dataset.formats import FILES
from store.dataset.manifest import digest
from store.dataset.published_pictures import RECALL, Blur
from store.dataset.rows import FIELDS, SPLITS, By, ExportRows, Row, RowChoice, shared_with_others
from store.runs.ledger_lines import label_personas
from store.terminal.printing import count_of

NAME = "README.md"
_RIGHTS = {
    "playground": "The clips of feedsway's playground; its `LICENSES.txt` names the terms of each.",
    "imported": "As whoever imported them says: {licences}.",
}
_MOST_TAGS = 20
_OTHERS = (
    "The videos belong to their creators and are shown under the platform's terms, which do not "
    "allow passing them on in general. Clear the rights, and the law on personal data, first."
)


def card(folder: Path, kind: str, found: ExportRows, choice: RowChoice) -> str:
    """Write the card's text, once the data files are in the folder; ``kind`` names the format."""
    rows = found.rows
    parts = [
        _front(kind, rows),
        "# Screenshots of short-video feeds\n",
        f"{len(rows)} screenshots of {len({(r['platform'], r['video']) for r in rows})} videos, "
        f"{_unique(rows)} of them unique (no two nearer than the near-duplicates below), from "
        f"{count_of(len(found.runs), 'run')}. The export is complete only with `manifest.json`, "
        "which is written last: `python -m store export --check FOLDER` compares every file with "
        "it.\n",
        "## Composition\n",
        *_composition(rows),
        "## How it was collected\n",
        *_collected(found, choice),
        "## Splits\n",
        *split_lines(rows, choice.split_by),
        "## People and rights\n",
        *_people(found, choice),
        "## Known gaps\n",
        *_gaps(found),
        "## Hashes\n",
        *_hashes(folder),
    ]
    return "\n".join(parts)


def _front(kind: str, rows: Sequence[Row]) -> str:
    """What Hugging Face reads: where each split lies, and the type of every field."""
    lines = ["---", "pretty_name: Screenshots of short-video feeds", "license: other", "configs:"]
    lines += ["- config_name: default", "  data_files:"]
    for split in _present(rows):
        lines += [f"  - split: {split}", f'    path: "{FILES[kind].format(split=split)}"']
    if kind == "jsonl":
        # the reader of JSON lines takes every text that looks like a time for one
        names = {"image": "string"} | FIELDS | {"at": "'timestamp[us, tz=UTC]'"}
        lines += ["  features:", *_typed(names, "  ")]
    if kind == "datasets":
        lines.append("  drop_labels: true")
    if kind == "webdataset":
        names = {"__key__": "string", "__url__": "string", "jpg": "image"}
        lines += ["dataset_info:", "  features:", *_typed(names, "  ")]
        lines += ["  - name: json", "    struct:", *_typed(FIELDS, "    ")]
    return "\n".join([*lines, "---", ""])


def _typed(fields: Mapping[str, str], indent: str) -> list[str]:
    """Fields with their types: a library that guessed would take a column of nulls for no text."""
    lines = []
    for name, dtype in fields.items():
        told = "list: string" if dtype == "list" else f"dtype: {dtype}"
        lines += [f"{indent}- name: {name}", f"{indent}  {told}"]
    return lines


def _unique(rows: Iterable[Row]) -> int:
    return sum(row["duplicate_of"] is None for row in rows)


def _present(rows: Sequence[Row]) -> list[str]:
    there = {row["split"] for row in rows}
    return [split for split in SPLITS if split in there]


def _composition(rows: Sequence[Row]) -> list[str]:
    identities = [f"{row['persona']}~{row['persona_traits']}" for row in rows]
    labels = label_personas(identities)
    counts = {
        "platform": Counter(row["platform"] for row in rows),
        "month": Counter(row["at"][:7] for row in rows),
        "persona": Counter(labels[identity] for identity in identities),
        "answer": Counter(row["answer"] or f"none ({row['missing']})" for row in rows),
    }
    tags = Counter(tag for row in rows for tag in set(row["hashtags"]))
    counts["hashtag"] = Counter(dict(tags.most_common(_MOST_TAGS)))
    tables = [_table(name, "screenshots", count) for name, count in counts.items()]
    told = sum(bool(row["hashtags"]) for row in rows)
    return [
        *tables,
        f"No platform tells a theme, and none is guessed. {told} screenshots have hashtags, "
        f"{len(tags)} different ones; the table shows the {len(counts['hashtag'])} commonest.\n",
    ]


def _table(name: str, what: str, counts: Mapping[str, int | str]) -> str:
    lines = [f"| {name} | {what} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {key} | {counts[key]} |" for key in sorted(counts)), ""])


def _collected(found: ExportRows, choice: RowChoice) -> list[str]:
    runs = found.runs
    told: dict[str, set[str]] = {
        "platforms": {run.platform for run in runs},
        "strategies": {run.strategy for run in runs},
        "models": {run.model for run in runs},
        "arms": {run.arm for run in runs},
        "drivers": {run.driver for run in runs},
        "browsers": {run.browser for run in runs},
        "languages": {run.locale for run in runs},
        "feedsway": {run.provenance.code_version for run in runs},
    }
    first, last = min(run.at for run in runs), max(run.at for run in runs)
    asked: dict[str, str] = dict(choice.where.conditions())
    asked |= {"study": choice.study} if choice.study else {}
    asked |= {"since": f"{choice.since:%Y-%m-%d}"} if choice.since else {}
    asked |= {"until": f"{choice.until:%Y-%m-%d}"} if choice.until else {}
    return [
        "Each run opened a feed as one persona; a model looked at a screenshot of each video and "
        "said whether that persona would watch on; the video was then watched or left. The runs "
        f"were started from {first:%Y-%m-%d} to {last:%Y-%m-%d}. Pictures of platform `imported` "
        "were not collected by feedsway.\n",
        *(f"- {name}: {', '.join(sorted(values))}" for name, values in told.items()),
        f"- filters of this export: {found.named(_listed(asked)) or 'none'}",
        "",
    ]


def _listed(told: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in told.items())


_TOGETHER = {
    "runs": "of one run, of one video",
    "creators": "of one creator, of one video",
    "videos": "of one video",
}


def split_lines(rows: Sequence[Row], by: By, what: str = "screenshots") -> list[str]:
    counts = Counter(row["split"] for row in rows)
    text = (
        f"{what.capitalize()} {_TOGETHER[by]} and near-duplicates (perceptual hashes that differ "
        "in at most 4 of 64 bits, directly or by others between them) are all in the same split; "
        "the same rows always give the same splits.\n"
    )
    crowded = (
        "Most rows hang together and so are in one split. "
        "`--split-by creators` and `--split-by videos` let runs be divided.\n"
    )
    head = ["| shared with another split | " + " | ".join(SPLITS) + " |", "|---|" + "---|" * 3]
    shared = [
        f"| {name} | " + " | ".join(str(found[split]) for split in SPLITS) + " |"
        for name, found in shared_with_others(rows).items()
    ]
    return [
        text,
        *([crowded] if by == "runs" and counts["train"] > 0.9 * len(rows) else []),
        _table("split", what, {name: counts[name] for name in SPLITS}),
        f"Leakage: {what} of each split that share something with another split.\n",
        *head,
        *shared,
        "",
    ]


def _people(found: ExportRows, choice: RowChoice) -> list[str]:
    runs = found.runs
    licences = {str(run.config.get("licence")) for run in runs if run.platform == "imported"}
    told = found.named("; ".join(sorted(licences))) or "not told"
    rights = [
        f"- {platform}: {_RIGHTS.get(platform, _OTHERS).format(licences=told)}"
        for platform in sorted({run.platform for run in runs})
    ]
    if choice.keep_handles:
        names = "Creators' handles, ids and addresses of videos are in the fields as they were."
    else:
        names = (
            "Creators' handles and ids of videos are replaced by keyed hashes, in texts too, and "
            "addresses are left out; the key is not part of this export. Handles of fewer than "
            "six letters are found in texts as whole words only. "
            "This is pseudonymous, not anonymous."
        )
    return [f"{names} {blur_words(found.blur, len(found.rows))}\n", *rights, ""]


def blur_words(blur: Blur | None, pictures: int) -> str:
    if blur is None:
        return (
            "The pictures themselves are not changed: faces, and names that a site draws over a "
            "video, can be seen. Their metadata are removed."
        )
    return (
        f"{blur.faces} faces and {blur.lines} lines that look like handles were found in "
        f"{blur.pictures} of {pictures} pictures and made unrecognisable; these pictures "
        f"were compressed again. {RECALL} What was not found can still be seen: faces that are "
        "small, turned away or covered, and names that are not read or not known. The pictures' "
        "metadata are removed."
    )


def _gaps(found: ExportRows) -> list[str]:
    rows = found.rows
    lines = [
        f"- {sum(row['excluded'] is not None for row in rows)} screenshots are of steps that do "
        "not count (advertisements, live broadcasts, repeats): field `excluded`.",
        f"- {sum(row['quality'] != 'ok' for row in rows)} screenshots are blank: field `quality`.",
        f"- {sum(row['answer'] is None for row in rows)} have no answer: field `missing` says why.",
        f"- {sum(not row['caption'] for row in rows)} have no caption, {_none(rows, 'author')} no "
        f"creator, {_none(rows, 'likes')} no number of likes: the platform did not tell.",
        f"- {found.forgotten} steps of these runs were forgotten on request or by age.",
        f"- {len(found.problems)} ledgers or frames could not be read and are left out.",
        "- A feed is what one account was shown, at one place and time: no sample of a platform.",
    ]
    return [*lines, ""]


def _none(rows: Sequence[Row], name: str) -> int:
    return sum(row[name] is None for row in rows)


def _hashes(folder: Path) -> list[str]:
    there = [path for path in sorted(folder.rglob("*")) if path.suffix in _DATA]
    told = {f"`{path.relative_to(folder).as_posix()}`": f"`{digest(path)}`" for path in there}
    return [_table("file", "SHA-256", told), "Of every file: `manifest.json`.", ""]


_DATA = (".parquet", ".jsonl", ".tar")
