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
    """Return what to type for this Python: a name that leads to it, or else its path."""
    if os.environ.get("VIRTUAL_ENV") == sys.prefix:
        return "python"
    if sys.prefix != sys.base_prefix:
        return _path_to_type(Path(sys.prefix) / "bin" / "python")
    name = Path(sys.executable or "python").name
    return name if _leads_to(name, sys.executable) else _path_to_type(Path(sys.executable))


def _is_script() -> bool:
    import click

    context = click.get_current_context(silent=True)
    return context is not None and context.find_root().info_name == SCRIPT


def _script_to_type() -> str:
    """Return the script's name where the shell finds this one by it, and else its path."""
    called = Path(sys.argv[0])
    return SCRIPT if called.name != SCRIPT or _leads_to(SCRIPT, called) else _path_to_type(called)


def _leads_to(name: str, program: Path | str) -> bool:
    """Return whether the shell finds this program by a name."""
    found = shutil.which(name)
    return found is not None and os.path.realpath(found) == os.path.realpath(program)


def _path_to_type(path: Path) -> str:
    """Return the shorter of a path from here and the whole one."""
    from_here = os.path.relpath(path)
    shown = min(from_here if os.sep in from_here else f"./{from_here}", str(path), key=len)
    return shlex.quote(shown)
