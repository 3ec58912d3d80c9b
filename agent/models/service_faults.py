"""What failed calls to a service are: for the judge, and for the book of payments.

What a provider says about a failure is never repeated, since that may hold a key.
"""

from __future__ import annotations

import re
import sys

from agent.errors import BadConfig, MissingExtra, ModelFailed, SlowDown, TimedOut
from agent.model_settings import ModelSettings
from agent.models.paid_calls import Payment

_ROOTS = {
    "openai": "OpenAIError",
    "anthropic": "AnthropicError",
    "google.genai.errors": "APIError",
    "groq": "GroqError",
    "mistralai.models": "SDKError",
    "botocore.exceptions": "ClientError",
    "httpx": "HTTPError",
    "aiohttp": "ClientError",
    "tenacity": "RetryError",
}
"""Where each provider's own exceptions begin; they have no common root."""

NOT_TAKEN = (400, 422, 501)  # how services say that they know no schemas
NOT_SENT = ("NotImplementedError", "TypeError", "ValidationError", "ValueError")
"""How providers' own packages say it before anything is sent."""

_NOT_REACHED = ("ConnectError", "ConnectTimeout", "NotImplementedError")
"""How clients say that nothing reached the service; a ``TypeError`` may also be of its reply."""

_AT_THE_DOOR = (408, 429, 502, 503, 504, 529)
"""What is said before the service itself is reached, which may hold the call's completion."""

_BROKE_OFF = frozenset(
    {
        "APIConnectionError",
        "APITimeoutError",
        "CloseError",
        "PoolTimeout",
        "ReadError",
        "ReadTimeout",
        "RemoteProtocolError",
        "WriteError",
        "WriteTimeout",
        "ClientPayloadError",
        "ConnectionClosedError",
        "ReadTimeoutError",
        "ServerDisconnectedError",
    }
)
"""How clients say that a reply did not come, or not as a whole."""

_INSTALL = re.compile(r"pip install [\w\[\]\-= >.]+")
_MARKUP = re.compile(r"\[/?bold\]")
_SETTING = re.compile(r"\b[A-Z][A-Z0-9_]*_(?:API_KEY|BASE_URL)\b")


def settle_failed(payment: Payment, error: BaseException) -> None:
    """A refusal by status is not charged; of all else only what was sent is known.

    A connection that broke says nothing of the service's end: the call keeps its key.
    """
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    status = next(filter(None, map(find_status, (error, cause))), None)
    if (
        (status is not None and status >= 400)
        or type(error).__name__ in _NOT_REACHED
        or type(cause).__name__ in _NOT_REACHED
    ):
        payment.refuse(ended=status not in _AT_THE_DOOR)
    else:
        payment.estimate(ended=not is_broken_off(error) and not is_broken_off(cause))


def is_broken_off(error: BaseException) -> bool:
    """Tell whether a reply did not come as a whole, whatever the service made of the call."""
    return type(error).__name__ in _BROKE_OFF


def read_fault(name: str, error: Exception, settings: ModelSettings, *, replied: bool) -> Exception:
    """Return what a failed call is for the judge; ``replied``: it answered before."""
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    kind, status = type(cause).__name__, find_status(error) or find_status(cause)
    if status == 429:
        return SlowDown(f"{name} asks to slow down, at every attempt", kind=kind)
    if "Timeout" in kind or kind == "RetryError":
        return TimedOut(f"{name} did not reply within its limit", kind=kind)
    if status in (401, 403):
        return BadConfig(
            f"{name} refuses the key ({status}). Set the provider's key, then type: --model {name}"
        )
    if status == 404:
        return BadConfig(f"The provider has no model {name}. Type: --model PROVIDER/MODEL")
    if status in NOT_TAKEN and settings.chosen and not replied:
        chosen = ", ".join(f"{each}={value}" for each, value in settings.chosen.items())
        return BadConfig(
            f"{name} refuses the question ({status}), maybe since it does not take "
            f"{chosen}. Type: the same without --model-setting"
        )
    said = kind if status is None else f"{kind}, status {status}"
    return ModelFailed(f"{name} failed ({said})", kind=kind, status=status)


def provider_errors() -> tuple[type[Exception], ...]:
    """What inspect_ai and those providers that are loaded raise over a failed call."""
    candidates = (getattr(sys.modules.get(module), root, None) for module, root in _ROOTS.items())
    roots = [kind for kind in candidates if isinstance(kind, type) and issubclass(kind, Exception)]
    ours = (RuntimeError, OSError, ValueError)
    tripped = (TypeError, AttributeError, LookupError)  # over a reply of another form
    return (*ours, *tripped, *roots)


def find_status(error: BaseException) -> int | None:
    """Return the status by which a service refused a call, where it did."""
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    return status if isinstance(status, int) else None


def read_prerequisite(name: str, message: str) -> MissingExtra | BadConfig:
    """Return what inspect_ai says is missing before a provider can be asked."""
    message = _MARKUP.sub("", message)
    if (install := _INSTALL.search(message)) is not None:
        return MissingExtra(f"What {name} needs", install[0].strip())
    setting = _SETTING.search(message)
    need = f"export {setting[0]}=…" if setting else f"inspect eval --model {name}"
    return BadConfig(f"{name} cannot be asked before its key or address is set. Type: {need}")
