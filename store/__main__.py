"""``python -m store``: what is kept, from the command line."""

from __future__ import annotations

import os  # both are loaded already: nothing is sought in the working folder
import sys


def keep_to_own_code() -> None:
    """Take the working folder from the search path, unless this code lies in it.

    ``python -m`` puts it first, where a stranger's ``store/`` would be found. Children are started
    with ``-P``: they find code of the working folder by ``PYTHONPATH``.
    """
    if sys.flags.safe_path:
        return
    first = sys.path.pop(0)
    from pathlib import Path  # which is not to be sought there either

    own = str(Path(__file__).resolve().parents[1])
    if str(Path(first).resolve()) == own:
        sys.path.insert(0, first)
        os.environ["PYTHONPATH"] = os.pathsep.join(
            filter(None, (own, os.environ.get("PYTHONPATH")))
        )
    elif Path(first).resolve() != Path.cwd():
        sys.path.insert(0, first)


if __name__ == "__main__":
    keep_to_own_code()
    from store.cli.main import main

    main(prog_name="python -m store")
