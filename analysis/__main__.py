"""``python -m analysis``."""

from __future__ import annotations

from analysis.cli.main import main

if __name__ == "__main__":
    main(prog_name="python -m analysis")
