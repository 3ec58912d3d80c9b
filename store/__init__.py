"""What was seen, kept: ledgers, frames, re-judgements, encoders and the index over them.

``store.open("data")`` is the door for notebooks and scripts (``docs/notebooks.md``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from store.api.data_reader import DataReader


def open(data: str | Path | None = None) -> DataReader:  # noqa: A001 - as gzip.open is called
    """Open a data folder for reading.

    Parameters
    ----------
    data
        The folder, or its URL (``s3://BUCKET/FOLDER``). ``None`` takes what the commands take:
        ``FEEDSWAY_DATA``, ``data`` of a ``feedsway.toml``, or ``data`` below the working folder.
        A folder that is not there is an empty one.

    Raises
    ------
    store.errors.DataUrlRefused
        The store elsewhere cannot be used.

    Examples
    --------
    >>> import store
    >>> data = store.open("data")
    >>> [run.persona for run in data.runs() if run.arm == "treatment"]
    ['kim', 'lena', 'mo', 'nils', 'olga', 'pia']
    """
    from store.api.data_reader import DataReader  # pydantic takes a moment to load

    return DataReader.open(data)
