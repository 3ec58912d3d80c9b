"""``python -m agent.models.local_server FOLDER``: keeps one model server; started by a lease."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from agent.models.local_server.runtime_folder import ServerFolder, ServerRecipe
from agent.models.local_server.server_process import ServerKeeper
from store.terminal.printing import echo


def main() -> None:
    folder = ServerFolder(Path(sys.argv[1]))
    fields = json.loads(folder.recipe.read_bytes())
    recipe = ServerRecipe(
        model=fields["model"],
        command=tuple(fields["command"]),
        environment=tuple((name, value) for name, value in fields["environment"]),
        key_variable=fields["key_variable"],
        limit_s=fields["limit_s"],
        linger_s=fields["linger_s"],
    )
    with folder.keeper.acquire(timeout=10):
        with suppress(OSError):  # whoever started it was killed
            echo("kept")
        os.dup2(2, 1)  # whoever started it may go
        ServerKeeper(folder, recipe).keep()


if __name__ == "__main__":
    main()
