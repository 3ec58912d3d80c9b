"""Keys that served models need, known before a provider's package is loaded."""

from __future__ import annotations

from collections.abc import Mapping

from agent.errors import BadConfig

KEYS = {
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    "google": ("GOOGLE_API_KEY", "GEMINI_API_KEY", "VERTEX_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI"),
    "grok": ("XAI_API_KEY", "GROK_API_KEY"),
    "groq": ("GROQ_API_KEY",),
    "mistral": ("MISTRAL_API_KEY", "AZUREAI_MISTRAL_API_KEY", "AZURE_MISTRAL_API_KEY"),
    "openai": ("OPENAI_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY",),
    "together": ("TOGETHER_API_KEY",),
}
"""Settings of which a provider's own service needs one; the first is the usual one."""

_WITH_SLASHES = ("openrouter", "together")
"""Providers whose own names of models have slashes."""


def check_key(name: str, settings: Mapping[str, str]) -> None:
    """Find out whether a model's key is set, as far as that is known without its provider.

    Parameters
    ----------
    settings
        The environment. What a service within a provider needs (``openai/azure/...``) is left to
        inspect_ai to find out.

    Raises
    ------
    BadConfig
        It is not.
    """
    family, *rest = name.split("/")
    wanted = KEYS.get(family, ()) if len(rest) == 1 or family in _WITH_SLASHES else ()
    if family == "openai-api" and len(rest) > 1:
        wanted = (f"{rest[0].upper().replace('-', '_')}_API_KEY",)
    if wanted and not any(settings.get(key) for key in wanted):
        raise BadConfig(f"{name} cannot be asked before its key is set. Type: export {wanted[0]}=…")
