"""Draws of questions and people's labels, brought into another data folder.

A label names no picture, so that nothing of it has to be forgotten.
"""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path

from store.errors import DataUnwritable, MergeRefused, StoreError
from store.maintenance.merged_files import MergeTarget, read_source, source_names
from store.maintenance.merged_lines import FileLine, read_file_lines
from store.runs.data_folder import DataFolder
from store.runs.labels import (
    DRAW,
    DRAW_LINE,
    LABEL_LINE,
    DrawHeader,
    LabelFile,
    LabelLog,
    list_labellers,
    read_draw,
)
from store.terminal.printing import count_of


def bring_labels(target: MergeTarget, source: DataFolder) -> None:
    """Bring every draw that is new, and what was answered to those that are the same."""
    for name in source_names(source, source.labels_dir, f"*/{DRAW}"):
        try:
            if not _bring_draw(target, source, name):
                continue
        except (DataUnwritable, MergeRefused):
            raise
        except StoreError as error:
            target.summary.problems.append(str(error))
            continue
        for by in list_labellers(source.root / name):
            try:
                _bring_lines(target, source, LabelFile(source, Path(name).parent.name, by))
            except (DataUnwritable, MergeRefused):
                raise
            except StoreError as error:
                target.summary.problems.append(str(error))


def _bring_draw(target: MergeTarget, source: DataFolder, name: str) -> bool:
    """Bring a draw in; tell whether it is the same here by now."""
    path = target.data.root / name
    theirs = read_file_lines(source.root / name, read_source(source, name) or b"", DRAW_LINE)
    read_draw(source.root / name)
    here = target.read(name)
    if here is None:
        target.bring_file(source, name)
        return True
    if _asked(read_file_lines(path, here, DRAW_LINE)) == _asked(theirs):
        return True
    target.summary.conflicts.append(f"{source.root / name}: other questions were drawn than here")
    return False


def _asked(lines: list[FileLine]) -> list[object]:
    """What makes a draw: all but when it was made, and by which code."""
    return [
        line.record.model_dump(exclude={"at", "code_version"})
        if isinstance(line.record, DrawHeader)
        else line.record
        for line in lines
    ]


def _bring_lines(target: MergeTarget, source: DataFolder, file: LabelFile) -> None:
    name = file.path.relative_to(source.root).as_posix()
    path = target.data.root / name
    content = read_source(source, name) or b""
    theirs = read_file_lines(source.root / name, content, LABEL_LINE)
    file.read()  # somebody else's lines stay where they are
    with target.held(path.with_suffix(".lock")):
        mine = read_file_lines(path, target.read(name) or b"", LABEL_LINE)
        known = {line.raw for line in mine}
        new = [line for line in theirs if line.raw not in known]
        if not new:
            return
        united = sorted([*mine, *new], key=lambda line: (line.record.at, line.raw))
        target.write_lines(name, [line.raw for line in united], content)
    target.summary.answers += len(new)
    unlike = _repeats(united) - _repeats(mine) - _repeats(theirs)
    if unlike > 0:
        what = (
            f"{count_of(unlike, 'question')} labelled here as well; the first label of each stands"
        )
        target.summary.conflicts.append(f"{source.root / name}: {what}")


def _repeats(lines: list[FileLine]) -> int:
    return LabelLog.of(list(map(attrgetter("record"), lines))).repeats
