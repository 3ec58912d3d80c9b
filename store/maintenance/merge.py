"""Unites data folders: what shards of one study or one sitting have made on several machines.

Frames are named by their content, judgements by their key, runs by their id, calls by theirs. So
the union is the same in any order, and the same command again changes nothing. Whole files take
their place by a rename, and a ledger comes in after all that it names: a call that was killed is
typed again. Conflicts are named; what was there stays. What the other folders have forgotten, or
this one has, is not brought back.

Not united: browser profiles, the daemon's journal, the pseudonyms' key, logs, and what was made of
frames (reports, sheets, exports, trainings), which can be made again or stays where it is.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from store.errors import DataUnwritable, ForgettingPending, MergeRefused, StoreError
from store.frames.frame_store import FrameStore
from store.jsonl.paths import is_name
from store.maintenance.backup import kind_of
from store.maintenance.merged_answers import (
    bring_answers,
    bring_canary,
    bring_derived,
    bring_findings,
    bring_replies,
)
from store.maintenance.merged_files import (
    MergeSummary,
    MergeTarget,
    read_source,
    refuse_writers,
    source_names,
)
from store.maintenance.merged_labels import bring_labels
from store.maintenance.merged_ledgers import LedgerCopy, choose_copy
from store.maintenance.merged_lines import (
    FileLine,
    hide_forgotten,
    read_file_lines,
    unite_payments,
)
from store.maintenance.merged_studies import FILES, PooledRuns, StudiesDiffer, unite_study
from store.runs.data_folder import DataFolder
from store.runs.payment_book import PAYMENT
from store.runs.rejudgements import FOLDER as JUDGEMENTS
from store.runs.rejudgements import JUDGEMENT_LINE

Progress = Callable[[int, int], None]
_OF_RUN = ("pictures", "playground")
"""Folders of a run that come with its ledger."""


def merge(
    data: DataFolder,
    sources: Sequence[DataFolder],
    *,
    own: bool = False,
    progress: Progress | None = None,
) -> MergeSummary:
    """Bring everything that other folders have beyond it into a data folder.

    ``own``: the folders are one's own, so that kept replies of models come too.

    Raises
    ------
    MergeRefused
        A folder is none, lies in another one, or is being written.
    ForgettingPending
        A request to forget was cut off in one of them, and comes first.
    DataUnwritable
        The disk refused; the same call goes on.
    """
    for place in (data, *sources):
        _refuse_unready(place, data)
    data.prepare()
    target = MergeTarget(data, MergeSummary())
    with target.held(data.root / "merge.lock"):
        _Merge(target, tuple(sources), own).carry_out(progress)
    return target.summary


def _refuse_unready(place: DataFolder, target: DataFolder) -> None:
    here, there = place.root.resolve(), target.root.resolve()
    if place is not target:
        if not any((place.root / name).exists() for name in ("runs", "studies", "payments.jsonl")):
            raise MergeRefused(place.root, "holds no data of feedsway's")
        if here == there or here.is_relative_to(there) or there.is_relative_to(here):
            raise MergeRefused(place.root, f"is {target.root}, or one of them lies in the other")
        for ledger in place.ledgers():
            if not ledger.is_file():  # a pipe would be waited for
                raise MergeRefused(ledger, "is no file")
    if place.forgetting.exists():
        raise ForgettingPending
    refuse_writers(place)


@dataclass
class _Merge:
    """One call: what comes first is what later things rest on."""

    target: MergeTarget
    sources: tuple[DataFolder, ...]
    own: bool
    kept: set[str] = field(default_factory=set)
    """Frames that the runs here name by now."""
    untold: dict[Path, set[str]] = field(default_factory=dict)
    """Frames, by folder, of steps of which it tells what was forgotten elsewhere."""

    def carry_out(self, progress: Progress | None) -> None:
        allowed = self._plan_runs(self._studies())
        self._payments()
        names = sorted(set().union(*allowed.values()))
        self.kept.update(frame for copy in self._here(names) for frame in copy.frames)
        for done, run_id in enumerate(names, 1):
            self._run(run_id, [source for source in self.sources if run_id in allowed[source.root]])
            if progress is not None:
                progress(done, len(names))
        for source in self.sources:
            untold = self.untold.get(source.root, set())
            bring_findings(self.target, source, self.kept, untold)
            bring_labels(self.target, source)
            bring_canary(self.target, source)
            bring_derived(self.target, source)
            bring_replies(self.target, source, self.kept - untold, own=self.own)

    @property
    def data(self) -> DataFolder:
        return self.target.data

    @property
    def summary(self) -> MergeSummary:
        return self.target.summary

    def _here(self, apart: Sequence[str]) -> list[LedgerCopy]:
        """Runs of the target that no other folder has, so that their frames count as kept."""
        found = []
        for path in self.data.ledgers():
            if path.parent.name not in apart and path.stat().st_size:
                found += self._copies([self.data], path.parent.name)
        return found

    # Studies, and whose runs are pooled

    def _studies(self) -> dict[Path, set[str]]:
        """Unite studies; return those that are not the same, by the folder that has them."""
        differ: dict[Path, set[str]] = {}
        for source in self.sources:
            for folder in sorted(source.studies_dir.glob("*")):
                name = folder.name
                if not is_name(name) or not folder.is_dir() or folder.is_symlink():
                    continue
                try:
                    with self.target.held(self.data.study_dir(name) / ".lock"):
                        self._study(source, name)
                except (StudiesDiffer, StoreError) as error:
                    if isinstance(error, MergeRefused | DataUnwritable):
                        raise
                    differ.setdefault(source.root, set()).add(name)
                    self.summary.conflicts.append(f"{folder}: {error}; none of its runs came in")
        return differ

    def _study(self, source: DataFolder, name: str) -> None:
        mine, theirs = (
            {
                file: content
                for file in FILES
                if (content := read_source(place, f"studies/{name}/{file}")) is not None
            }
            for place in (self.data, source)
        )
        changed = unite_study(mine, theirs)
        # the draw comes last: by it the same call, typed again, knows that the rest is there
        for file in sorted(changed, key=lambda file: file == "draws.json"):
            self.target.write(f"studies/{name}/{file}", changed[file])

    def _plan_runs(self, differ: dict[Path, set[str]]) -> dict[Path, set[str]]:
        """Ids of the runs of each folder that may come in."""
        pooled = PooledRuns()
        pooled.add(self.data, set())
        allowed: dict[Path, set[str]] = {}
        for source in self.sources:
            out, why = pooled.add(source, differ.get(source.root, set()))
            self.summary.conflicts += why
            for path in source.foreign_ledgers():
                self.summary.problems.append(f"{path}: a link leads out of the folder")
            ids = {path.parent.name for path in source.ledgers() if path.stat().st_size}
            allowed[source.root] = ids - out
        return allowed

    def _payments(self) -> None:
        """Before any answer, so that a cap never counts less than was spent."""
        name = "payments.jsonl"
        with self.target.held(self.data.payments.with_suffix(".lock")):
            for source in self.sources:
                try:
                    content = read_source(source, name) or b""
                    mine = read_file_lines(
                        self.data.payments, read_source(self.data, name) or b"", PAYMENT
                    )
                    theirs = read_file_lines(source.payments, content, PAYMENT)
                except StoreError as error:
                    self.summary.problems.append(str(error))
                    continue
                united = unite_payments(mine, theirs)
                if united.unlike:
                    what = f"{source.payments}: {united.unlike} calls are others here"
                    self.summary.conflicts.append(what)
                if united.added:
                    self.target.write_lines(name, united.lines, content)
                self.summary.payments += united.added

    # Runs

    def _copies(self, places: Sequence[DataFolder], run_id: str) -> list[LedgerCopy]:
        copies = []
        for place in places:
            name = f"runs/{run_id}/ledger.jsonl"
            try:
                if content := read_source(place, name):
                    copies.append(LedgerCopy.parse(place, run_id, content))
            except StoreError as error:
                self.summary.problems.append(str(error))
        return copies

    def _run(self, run_id: str, sources: Sequence[DataFolder]) -> None:
        """Bring in one run: frames, what belongs to it, answers, and its ledger at last."""
        here = self.data.ledger_path(run_id)
        had = here.exists() and here.stat().st_size > 0
        mine = self._copies([self.data], run_id) if had else []
        copies = mine + self._copies(sources, run_id)
        chosen = choose_copy(copies) if copies and bool(mine) == had else None
        if chosen is not None and chosen.ledger.started.run_id != run_id:
            self.summary.problems.append(f"{chosen.ledger.path} is the ledger of another run")
            chosen, copies = None, mine
        self._note_untold([*mine, *([chosen] if chosen is not None else [])], copies)
        if chosen is None:
            if len(copies) > 1:
                where = ", ".join(str(copy.data.root) for copy in copies)
                self.summary.conflicts.append(f"Run {run_id} is not the same in {where}")
            self.kept.update(frame for copy in mine for frame in copy.frames)
            return
        if mine and chosen.hidden - mine[0].hidden:
            self._refuse_forgetting(chosen, mine[0])
            return
        try:
            self._frames(chosen, copies)
        except StoreError as error:  # a damaged frame: the ledger that names it stays out
            if isinstance(error, DataUnwritable):
                raise
            self.summary.problems.append(f"Run {run_id} stays out: {error}")
            return
        self.kept.update(chosen.frames)
        self._belongings(chosen, copies)
        for copy in copies:
            if copy.data is not self.data:
                self._judgements(chosen, copy)
        if chosen.data is not self.data and not (mine and mine[0].lines == chosen.lines):
            self._ledger(chosen, had=had)

    def _note_untold(self, forgot: Sequence[LedgerCopy], copies: Sequence[LedgerCopy]) -> None:
        hidden = {place for copy in forgot for place in copy.hidden}
        for copy in copies:
            told = hidden - copy.hidden
            steps = [step for step in copy.ledger.seen if step.position in told]
            frames = {frame.sha256 for step in steps for frame in step.frames}
            self.untold.setdefault(copy.data.root, set()).update(frames)

    def _refuse_forgetting(self, chosen: LedgerCopy, mine: LedgerCopy) -> None:
        """Name what was forgotten elsewhere and is here still, and how to forget it here too."""
        self.kept.update(mine.frames)
        more = chosen.hidden - mine.hidden
        asked = [one for one in chosen.ledger.forgotten if more.intersection(one.positions)]
        before = max((one.before for one in asked if one.before is not None), default=None)
        videos = sorted({one.video.id for one in mine.ledger.seen if one.position in more})
        how = f"--video {shlex.quote(videos[0])}" if asked and videos else "--author HANDLE"
        if any(one.asked == "author" for one in asked):
            how = "--author HANDLE"
        elif before is not None:
            how = f"--before {before:%Y-%m-%d}"
        self.summary.conflicts.append(
            f"Run {mine.ledger.started.run_id}: {chosen.data.root} has forgotten what is here "
            f"still. Forget it here first: python -m store forget {how} "
            f"--data {shlex.quote(str(self.data.root))}"
        )

    def _frames(self, chosen: LedgerCopy, copies: Sequence[LedgerCopy]) -> None:
        """Bring in the frames that the ledger names, each from whoever has it whole."""
        mine = FrameStore(self.data.frames_dir)
        places = [chosen.data, *(copy.data for copy in copies if copy.data is not chosen.data)]
        for frame in sorted(chosen.frames):
            if mine.path(frame).is_file():
                continue
            problem: StoreError | None = None
            for place in places:
                try:
                    mine.put(FrameStore(place.frames_dir).read(frame))
                    break
                except DataUnwritable:
                    raise
                except StoreError as error:
                    problem = problem or error
            else:
                assert problem is not None
                raise problem
            self.summary.frames += 1

    def _belongings(self, chosen: LedgerCopy, copies: Sequence[LedgerCopy]) -> None:
        """Pictures of walls and the playground's memory, of the copy that stands."""
        run_id = chosen.ledger.started.run_id
        for copy in copies:
            if copy.data is self.data:
                continue
            for part in _OF_RUN:
                for name in source_names(copy.data, copy.data.run_dir(run_id) / part, "**/*"):
                    at = Path(name).name.partition("-")[0]
                    gone = part == "pictures" and at.isdigit() and int(at) in chosen.emptied
                    if kind_of(name) == "record" and not gone and copy.lines == chosen.lines:
                        longer = chosen.data is copy.data
                        self.target.bring_file(copy.data, name, instead=longer)

    def _judgements(self, chosen: LedgerCopy, copy: LedgerCopy) -> None:
        folder = copy.data.run_dir(chosen.ledger.started.run_id) / JUDGEMENTS
        hidden = chosen.hidden - copy.hidden
        for name in source_names(copy.data, folder, "*.jsonl"):
            known = self._known(name, chosen.data) if hidden else []
            change = partial(hide_forgotten, known=known, hidden=hidden, emptied=chosen.emptied)
            bring_answers(self.target, copy.data, name, JUDGEMENT_LINE, change, among=True)
        for name in source_names(copy.data, folder, "*.lost.json"):
            self.target.bring_file(copy.data, name)

    def _known(self, name: str, place: DataFolder) -> list[FileLine]:
        found: list[FileLine] = []
        for one in {place.root: place, self.data.root: self.data}.values():
            content = read_source(one, name) or b""
            found += read_file_lines(one.root / name, content, JUDGEMENT_LINE)
        return found

    def _ledger(self, chosen: LedgerCopy, *, had: bool) -> None:
        run_id = chosen.ledger.started.run_id
        name = f"runs/{run_id}/ledger.jsonl"
        if had:
            with self.target.held(self.data.run_dir(run_id) / "ledger.lock"):
                self.target.write(name, chosen.content)
        else:
            self.target.write(name, chosen.content)
        self.summary.runs += 1
        if chosen.ledger.finished is None:
            self.summary.interrupted.append(f"{run_id} in {chosen.data.root}")
