"""Runs one of this package's functions in a child process, which ends when this process does.

A child that lived on after its parent was killed would have a folder open that somebody else takes
for free. Refuses to know what the function does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from threading import Thread


def call(
    function: str, *arguments: str, given: bytes = b"", limit_s: float | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Call ``module:function`` in a child, which gets ``given`` on its standard input.

    Raises
    ------
    subprocess.TimeoutExpired
        It took longer than ``limit_s`` seconds, and was killed.
    """
    theirs, ours = os.pipe()
    # -c with this process's own search path: the child must find the same code
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; from store.index.subprocess_call import serve; "
    )
    code += f"serve({theirs}, {function!r}, *{arguments!r})"
    try:
        return subprocess.run(
            [sys.executable, "-c", code],
            input=given,
            capture_output=True,
            check=False,
            timeout=limit_s,
            pass_fds=(theirs,),
        )
    finally:
        os.close(theirs)
        os.close(ours)


def serve(tether: int, function: str, *arguments: str) -> None:
    """Be the child: call the function, and end at once when the tether's other end closes."""

    def watch() -> None:
        os.read(tether, 1)
        os._exit(1)

    Thread(target=watch, daemon=True).start()
    module, _, name = function.partition(":")
    getattr(import_module(module), name)(*arguments)
