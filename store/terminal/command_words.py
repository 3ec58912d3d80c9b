"""Commands in the words of whoever called: ``feedsway run …`` or ``python -m agent run …``.

Texts name commands in one way, ``python -m PACKAGE COMMAND``; what prints them spells them anew.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

SCRIPT = "feedsway"
"""The console script, whose commands are those of ``agent`` and the other packages' groups."""
_COMMAND = re.compile(r"(?<![\w./-])python -m (agent|analysis|personas|store)(?![\w.])")


def spell_commands(text: str) -> str:
    """Return a text whose commands begin as the one did that runs."""
    if "python -m " not in text:
        return text
    if not _is_script():
        python = python_to_type()
        return _COMMAND.sub(lambda found: f"{python} -m {found[1]}", text)
    script = _script_to_type()
    return _COMMAND.sub(
        lambda found: script if found[1] == "agent" else f"{script} {found[1]}", text
    )


def python_to_type() -> str:
    """Return what to type for this Python: its path, unless its environment is activated."""
    activated = os.environ.get("VIRTUAL_ENV") == sys.prefix or sys.prefix == sys.base_prefix
    return "python" if activated else _path_to_type(Path(sys.prefix) / "bin" / "python")


def _is_script() -> bool:
    import click

    context = click.get_current_context(silent=True)
    return context is not None and context.find_root().info_name == SCRIPT


def _script_to_type() -> str:
    """Return the script's name where the shell finds this one by it, and else its path."""
    called, found = sys.argv[0], shutil.which(SCRIPT)
    found_by_name = found is not None and os.path.realpath(found) == os.path.realpath(called)
    if found_by_name or Path(called).name != SCRIPT:
        return SCRIPT
    return _path_to_type(Path(called))


def _path_to_type(path: Path) -> str:
    """Return the shorter of a path from here and the whole one."""
    from_here = os.path.relpath(path)
    shown = min(from_here if os.sep in from_here else f"./{from_here}", str(path), key=len)
    return shlex.quote(shown)
