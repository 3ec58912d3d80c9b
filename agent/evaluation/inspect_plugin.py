"""What inspect_ai finds of feedsway: its models as providers, and its questions as tasks.

Loaded by inspect_ai through the entry point ``inspect_ai``, never by feedsway itself. The tasks are
``feedsway/spectrum``, ``feedsway/choice`` and ``feedsway/statements``.
"""

from __future__ import annotations

from inspect_ai._util.registry import registry_add, registry_info  # public by entry points only

from agent.evaluation.inspect_hallucination_probes import choice, statements
from agent.evaluation.inspect_value_spectrum import spectrum
from agent.models import inspect_provider

__all__ = ["choice", "inspect_provider", "spectrum", "statements"]

for _task in (spectrum, choice, statements):
    _info = registry_info(_task)
    # inspect_ai takes the folder of the code for the package's name, which is another here
    registry_add(
        _task, _info.model_copy(update={"name": f"feedsway/{_info.name.rpartition('/')[2]}"})
    )
