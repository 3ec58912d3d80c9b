"""For whose eyes a data folder is: its owner's, or a group's as well."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from store.errors import DataUnwritable, UnknownGroup
from store.jsonl.atomic import PRIVATE_FILE, PRIVATE_FOLDER, SHARED_FILE, SHARED_FOLDER
from store.runs.data_folder import DataFolder


def protect(data: DataFolder, group: str | None = None) -> int:
    """Set the modes of everything that is there; what is made later follows its folder.

    Browser profiles, the pseudonyms' key and the page's token are their owner's in any case. Links
    are left as they are, and so is what they lead to.

    Returns
    -------
    int
        Files and folders whose mode was another.

    Raises
    ------
    UnknownGroup
        This machine has no such group.
    DataUnwritable
        Something belongs to somebody else.
    """
    changed = 0
    try:
        number = _group_id(group) if group is not None else None
        for path in _everything(data.root):
            shared = number is not None and not _is_secret(path.relative_to(data.root).parts)
            changed += _set_mode(path, number if shared else None)
    except OSError as error:
        raise DataUnwritable(data.root, error.strerror or str(error)) from None
    return changed


def _group_id(name: str) -> int:
    import grp  # not on Windows, which has no such groups

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise UnknownGroup(name) from None


def _everything(root: Path) -> Iterator[Path]:
    """The folder and all that is in it, without links."""
    yield root
    for top, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(top, name)
            if not path.is_symlink():
                yield path


def _is_secret(parts: tuple[str, ...]) -> bool:
    return parts[:1] in (("profiles",), ("pseudonyms.key",)) or parts == ("daemon", "address.json")


def _set_mode(path: Path, group: int | None) -> bool:
    """Give a file or folder its mode; tell whether it had another."""
    folder = path.is_dir()
    mode = PRIVATE_FOLDER if folder else PRIVATE_FILE
    if group is not None:
        mode = SHARED_FOLDER if folder else SHARED_FILE
    found = path.stat()
    if group is not None and found.st_gid != group:
        os.chown(path, -1, group)
    elif found.st_mode & 0o7777 == mode:
        return False
    path.chmod(mode)  # after the group was changed, which clears setgid
    return True
