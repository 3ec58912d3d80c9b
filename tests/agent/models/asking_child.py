"""Asks a served model again about a run, with short limits, in processes that drills kill.

What is slow to import is imported once; each line on stdin then forks one sitting. Its process id
is told on stdout, and how it ended: its exit code, or less than zero for a signal.
"""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tenacity import wait_none

from agent.evaluation import question_engine
from agent.evaluation.rejudge import rejudge
from agent.evaluation.rejudged_sitting import RejudgePlan
from agent.judge.retry_limits import Patience
from agent.models import api, load
from store.runs.data_folder import DataFolder
from store.runs.ledger import read

MODEL = "openai-api/loopback/chaos"


def ask(root: str, repeats: str) -> int:
    """Ask everything that is due, once; 3: some of it has no reply yet."""
    api.SETTINGS.update(attempt_timeout=2, timeout=8, max_retries=2)

    def quick(name: str, *how: Any) -> Any:
        model: Any = load(name, *how)
        model._model.api.retry_wait = wait_none  # its seconds between attempts are its own affair
        return model

    vars(question_engine)["load_model"] = quick
    data = DataFolder(Path(root))
    asking = RejudgePlan(
        MODEL, repeats=int(repeats), patience=Patience(attempts=10_000, in_a_row=0), revision="1"
    )
    run = read(data.ledger_path("r1"))
    done = asyncio.run(rejudge([run], asking, data, datetime.now(UTC), lambda *_: None))
    return 0 if done.open == 0 else 3


if __name__ == "__main__":
    import inspect_ai.model  # noqa: F401 - loaded before the sittings are forked
    import openai  # noqa: F401

    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                code = ask(*sys.argv[1:])
            except BaseException:  # noqa: BLE001 - its end is told by its code
                traceback.print_exc()
                code = 1
            os._exit(code)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
