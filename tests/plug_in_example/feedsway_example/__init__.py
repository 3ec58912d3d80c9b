"""One plug-in of each kind that feedsway takes."""

from pathlib import Path

DIARY = Path(__file__).with_name("diary.toml")
"""The strategy: a prompt file."""
