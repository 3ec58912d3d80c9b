"""The index with real Chroma: what goes in is found, by whom, and by one at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from store.encoders import Vectors, unit
from store.errors import IndexLocked, IndexMismatch, IndexMissing
from store.index.embedded_folder import IndexFolder, collection_name
from store.index.entries import Filters, Hit, IndexEntry, distinct, entries
from store.index.search import Index, replacement
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.ledger_lines import Video
from tests.e2e.commands import until
from tests.store.samples import ColourEncoder, frame, jpeg, keep_run, started, step

REPO = Path(__file__).parents[3]


def entry(number: int, **changes: Any) -> IndexEntry:
    made = IndexEntry.of(started("r1"), step(number, frame(jpeg("red", number))))
    different = f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}"
    return replace(made, **({"phash": different} | changes))


def vectors(count: int) -> Vectors:
    return unit(np.random.default_rng(4).normal(size=(count, ColourEncoder.dim)))


def test_an_entry_has_what_the_site_labels_and_an_older_one_is_read() -> None:
    labelled = Video(id="v1", ad=True, ai_label=False, paid_partnership=True, language="de")
    made = IndexEntry.of(started("r1"), step(1, frame(jpeg("red")), video=labelled))
    told = made.metadata()
    assert (told["labels"], told["language"], told["category"]) == ("ad paid_partnership", "de", "")
    older = {name: told[name] for name in told if name not in ("labels", "language", "category")}
    hit = Hit.read(made.id, None, older | {"duplicate_of": ""}, 0.0)
    assert (hit.entry.labels, hit.entry.video) == ("", "v1")


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


@pytest.fixture
def index(data: DataFolder) -> Iterator[Index]:
    with Index.open(data, ColourEncoder(), write=True) as opened, opened.hold():
        yield opened


def test_entries_tell_what_the_ledger_tells(data: DataFolder) -> None:
    keep_run(data, "r1", ["red", "blue", "green"])
    ledger = read(data.ledger_path("r1"))
    found = entries(ledger.started, ledger.steps)
    assert [made.id for made in found] == ["r1/0/0", "r1/1/0", "r1/2/0"]
    assert [made.answer for made in found] == ["yes", "no", "missing"]
    second = found[1]
    assert second.sha256 == ledger.steps[1].frames[0].sha256
    assert (second.caption, second.persona, second.phase) == ("a blue thing", "p12", "before")


def test_what_goes_in_is_found_whole(index: Index) -> None:
    put, placed = [entry(number) for number in range(20)], vectors(20)
    index.add(put, placed)
    assert index.count() == 20
    assert index.ids() == {made.id for made in put}
    for number in range(20):
        best = index.search(placed[number], 1)[0]
        assert best.entry == put[number]
        assert best.similarity == pytest.approx(1, abs=1e-5)
        assert best.duplicate_of is None


def test_similarity_is_the_cosine_and_the_order_is_exact(index: Index) -> None:
    placed = vectors(60)
    index.add([entry(number) for number in range(60)], placed)
    query = unit(np.ones((1, ColourEncoder.dim)))[0]
    hits = index.search(query, 10)
    exact = np.sort(placed @ query)[::-1][:10]
    assert [hit.similarity for hit in hits] == pytest.approx(exact.tolist(), abs=1e-5)


def test_adding_twice_changes_nothing(index: Index, data: DataFolder) -> None:
    put, placed = [entry(number) for number in range(10)], vectors(10)
    index.add(put, placed)
    before = index.search(placed[3], 10, duplicates=True)
    index.add(put[2:7], placed[2:7])
    assert index.count() == 10
    assert index.search(placed[3], 10, duplicates=True) == before
    index.add([], placed[:0])


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Filters(), {0, 1, 2, 3, 4, 5}),
        (Filters(platform="tiktok"), {1, 3, 5}),
        (Filters(persona="p03"), {4, 5}),
        (Filters(answer="missing"), {0, 5}),
        (Filters(run="r2"), {2, 3}),
        (Filters(platform="tiktok", run="r2"), {3}),
        (Filters(persona="nobody"), set()),
    ],
)
def test_filters(index: Index, where: Filters, expected: set[int]) -> None:
    put = [
        entry(
            number,
            platform="tiktok" if number % 2 else "playground",
            persona="p03" if number > 3 else "p12",
            answer="missing" if number in (0, 5) else "yes",
            run="r2" if number in (2, 3) else "r1",
        )
        for number in range(6)
    ]
    index.add(put, vectors(6))
    hits = index.search(vectors(1)[0], 6, where)
    assert {hit.entry.position for hit in hits} == expected


def test_a_held_index_finds_under_conditions_what_an_exact_search_finds(data: DataFolder) -> None:
    """Whether a third of it matches, one in fifty, or all but nothing."""
    placed = vectors(1500)
    put = [
        entry(
            number,
            video=f"v{number}",
            platform=("playground", "tiktok", "youtube")[number % 3],
            persona=f"p{number % 50}",
            answer="missing" if number % 500 == 0 else "yes",
        )
        for number in range(1500)
    ]
    wheres = (
        Filters(platform="tiktok"),
        Filters(persona="p7"),
        Filters(answer="missing", platform="playground"),
        Filters(persona="p7", platform="tiktok", answer="missing"),
    )
    with Index.open(data, ColourEncoder(), write=True) as index:
        index.add(put, placed)
        with index.hold():
            for query, where in product(vectors(4), [*wheres, *wheres]):
                matching = [
                    (float(vector @ query), made.id)
                    for made, vector in zip(put, placed, strict=True)
                    if where.conditions().items() <= made.metadata().items()
                ]
                best = [key for _, key in sorted(matching, reverse=True)[:5]]
                found = index.search(query, 5, where, duplicates=True)
                assert [hit.entry.id for hit in found] == best
                assert all(hit.entry == put[hit.entry.position] for hit in found)


def test_what_is_added_is_found_under_conditions_that_were_searched_before(
    data: DataFolder,
) -> None:
    placed, where = vectors(6), Filters(persona="p03")
    put = [entry(number, persona="p03") for number in range(6)]
    with Index.open(data, ColourEncoder(), write=True) as index:
        index.add(put[:2], placed[:2])
        with index.hold():
            assert len(index.search(placed[0], 6, where, duplicates=True)) == 2
            index.add(put[2:4], placed[2:4])
            assert len(index.search(placed[0], 6, where, duplicates=True)) == 4
        with Index.open(data, ColourEncoder(), write=True) as other:
            other.add(put[4:], placed[4:])
        with index.hold():
            assert len(index.search(placed[0], 6, where, duplicates=True)) == 6


def test_near_duplicates_are_marked_with_the_first_and_hidden(index: Index) -> None:
    phashes = ["0" * 16, "000000000000000f", "f" * 16, "0000000000000001"]
    put = [entry(number, phash=phash) for number, phash in enumerate(phashes)]
    placed = vectors(4)
    index.add(put[:2], placed[:2])
    index.add(put[2:], placed[2:])
    everything = index.search(placed[1], 4, duplicates=True)
    marks = {hit.entry.position: hit.duplicate_of for hit in everything}
    assert marks == {0: None, 1: "r1/0/0", 2: None, 3: "r1/0/0"}
    shown = index.search(placed[1], 4)
    assert {hit.entry.position for hit in shown} == {1, 2}
    assert shown[0].entry.position == 1, "the best of its like is shown, not the first"


def test_marks_are_taken_over_from_what_others_put_in(data: DataFolder) -> None:
    one = Index.open(data, ColourEncoder(), write=True)
    other = Index.open(data, ColourEncoder(), write=True)
    one.add([entry(0, phash="0" * 16)], vectors(1))
    other.add([entry(1, phash="0" * 16)], vectors(1))
    one.add([entry(2, phash="0" * 16)], vectors(1))
    hits = one.search(vectors(1)[0], 3, duplicates=True)
    assert [hit.duplicate_of for hit in hits] == [None, "r1/0/0", "r1/0/0"]


def test_a_search_looks_past_many_copies_of_one_video(index: Index) -> None:
    placed = vectors(3)
    put = [entry(number, video="same") for number in range(200)]
    index.add(put, np.repeat(placed[:1], 200, axis=0))
    index.add([entry(500), entry(501)], placed[1:])
    hits = index.search(placed[0], 3)
    assert {hit.entry.position for hit in hits} == {0, 500, 501}
    assert len(index.search(placed[0], 30, duplicates=True)) == 30


def test_distinct_keeps_the_same_video_id_of_two_platforms(index: Index) -> None:
    put = [entry(0, video="v"), entry(1, video="v", platform="tiktok"), entry(2, video="v")]
    index.add(put, vectors(3))
    hits = index.search(vectors(1)[0], 3, duplicates=True)
    assert {hit.entry.platform for hit in distinct(hits)} == {"playground", "tiktok"}
    assert len(distinct(hits)) == 2


def test_encoders_never_mix(data: DataFolder) -> None:
    class Other(ColourEncoder):
        id = "open_clip:ViT-B-32/openai"
        dim = 7

    with pytest.raises(IndexMissing, match=r"python -m store index --encoder test-colour"):
        Index.open(data, ColourEncoder())
    Index.open(data, ColourEncoder(), write=True).add([entry(0)], vectors(1))
    with pytest.raises(
        IndexMismatch, match=r"another encoder.*--encoder open_clip:ViT-B-32/openai"
    ):
        Index.open(data, Other())
    assert Index.open(data, Other(), write=True).count() == 0
    assert Index.open(data, ColourEncoder()).count() == 1


def test_collection_names_are_legal_and_differ() -> None:
    ids = ["conse", "a:b/c", "a:b_c", "a b c", "x" * 600, "x" * 601, "open_clip:ViT/" + "é" * 9]
    names = [collection_name(encoder_id, 512) for encoder_id in ids]
    assert names[0] == "feedsway__conse__d512__cosine"
    assert len(set(names)) == len(names)
    assert all(len(name) < 120 and name.isascii() for name in names)
    assert not any(set(name) & set(":/ ") for name in names)


def test_the_settings_file_of_the_working_folder_is_not_read(
    data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("CHROMA_API_IMPL=chromadb.api.fastapi.FastAPI\n")
    monkeypatch.chdir(tmp_path)
    assert Index.open(data, ColourEncoder(), write=True).count() == 0


def test_nothing_stays_open_between_calls(data: DataFolder) -> None:
    def held() -> list[str]:
        return [
            file.path for file in process.open_files() if file.path.startswith(str(data.index_dir))
        ]

    process = psutil.Process()
    index = Index.open(data, ColourEncoder(), write=True)
    threads = threading.active_count()
    index.add([entry(0)], vectors(1))
    index.search(vectors(1)[0])
    until(lambda: held() == [])  # the engine's own threads close what a call has opened
    with index.hold():
        index.count()
        assert held() != []
    until(lambda: held() == [])
    assert threading.active_count() == threads


HOLDING = """
import sys
from pathlib import Path
from typing import Any
from store.runs.data_folder import DataFolder
from store.index.search import Index
from tests.store.samples import ColourEncoder
with Index.open(DataFolder(Path(sys.argv[1])), ColourEncoder(), write=True).hold() as index:
    index.count()
    print("open", flush=True)
    sys.stdin.read()
"""

ADDING = """
import sys
from pathlib import Path
from typing import Any
from store.runs.data_folder import DataFolder
from store.index.search import Index
from tests.store.samples import ColourEncoder
from tests.store.index.test_search import entry, vectors
index = Index.open(DataFolder(Path(sys.argv[1])), ColourEncoder(), write=True)
first = int(sys.argv[2])
for number in range(first, first + 120, 12):
    batch = range(number, number + 12)
    index.add([entry(each) for each in batch], vectors(240)[number : number + 12])
    assert len(index.search(vectors(1)[0], 6)) == 6
"""


def child(code: str, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        cwd=REPO,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_second_user_is_refused_and_told_who_holds_the_index(data: DataFolder) -> None:
    holder = child(HOLDING, str(data.root))
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    for write in (True, False):
        with pytest.raises(IndexLocked, match=f"process {holder.pid} on .* since .* UTC"):
            Index.open(data, ColourEncoder(), write=write, patience_s=0.1)
    holder.communicate("")
    assert holder.returncode == 0
    assert Index.open(data, ColourEncoder()).count() == 0


@pytest.mark.drill
def test_two_processes_share_a_folder_and_lose_nothing(data: DataFolder) -> None:
    """Opened at the same time, an embedded folder loses vectors or is damaged."""
    writers = [child(ADDING, str(data.root), first) for first in ("0", "120")]
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0]
    with Index.open(data, ColourEncoder()).hold() as index:
        assert index.count() == 240
        for number, vector in enumerate(vectors(240)):
            assert number in {hit.entry.position for hit in index.search(vector, 2)}


def test_an_interrupted_replacement_leaves_the_old_index(data: DataFolder) -> None:
    Index.open(data, ColourEncoder(), write=True).add([entry(0)], vectors(1))

    def interrupted() -> None:
        with replacement(data, ColourEncoder()) as fresh:
            fresh.add([entry(1), entry(2)], vectors(2))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert Index.open(data, ColourEncoder()).ids() == {"r1/0/0"}
    with replacement(data, ColourEncoder()) as fresh:
        fresh.add([entry(1), entry(2)], vectors(2))
        with pytest.raises(IndexLocked), replacement(data, ColourEncoder()):
            pass
    assert Index.open(data, ColourEncoder()).ids() == {"r1/1/0", "r1/2/0"}


def test_a_replacement_killed_between_its_renames_is_undone(data: DataFolder) -> None:
    Index.open(data, ColourEncoder(), write=True).add([entry(0)], vectors(1))
    folder = IndexFolder(data.index_dir, collection_name(ColourEncoder.id, ColourEncoder.dim))
    folder.path.rename(folder.path.with_name(f"{folder.name}.old"))
    assert Index.open(data, ColourEncoder()).ids() == {"r1/0/0"}
    assert folder.path.is_dir()
