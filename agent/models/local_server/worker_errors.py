"""Errors of a worker, written so that its users raise the same ones."""

from __future__ import annotations

import json
from typing import Any

from agent import errors as agent_errors
from agent.errors import AgentError, ModelFailed
from store import errors as store_errors
from store.errors import StoreError
from store.plug_ins import entry_points as plug_ins

_OURS = (AgentError, StoreError)


def write_error(error: Exception) -> dict[str, Any]:
    """Describe an error of ours so that its user can raise it; others count as a failed model."""
    if not isinstance(error, _OURS):
        error = ModelFailed(f"The worker failed ({type(error).__name__})")
    details = json.loads(json.dumps(vars(error), default=str))
    return {"error": type(error).__name__, "message": str(error), "details": details}


def read_error(fields: dict[str, Any]) -> Exception:
    """Return the error that `write_error` described, of the same class and with the same words."""
    name = fields["error"]
    homes = (agent_errors, store_errors, plug_ins)
    kind = next((vars(home)[name] for home in homes if name in vars(home)), None)
    if not (isinstance(kind, type) and issubclass(kind, _OURS)):
        return ModelFailed(f"The worker failed ({name})")
    error: Exception = kind.__new__(kind)  # its own arguments were used up for its words
    error.args = (fields["message"],)
    vars(error).update(fields["details"])
    return error
