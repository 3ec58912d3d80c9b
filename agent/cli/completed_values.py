"""Values that a shell completes: personas, runs, studies, platforms, models and the like.

They are read from names of files and folders alone, so that damaged data hinders nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from store.cli.options import default_data

Source = Callable[[click.Context], Iterable[str]]
PLATFORMS = ("playground", "tiktok", "youtube", "instagram", "replay", "recording")
STRATEGIES = ("plain", "simple", "isq")
MODELS = (
    "embedded/conse",
    "scripted/coin",
    "scripted/yes",
    "scripted/no",
    "openai/gpt-4o",
    "anthropic/claude-sonnet-5-5",
    "google/gemini-3.8-flash",
    "openai/gpt-6-luna",
    "hfvlm/Qwen/Qwen3-VL-8B-Instruct",
)
ENCODERS = ("conse", "open_clip:ViT-B-32/openai")
VALUE_SETS = ("schwartz", "refined", "foundations")
"""Names that stand here too, since the modules that have them load a quarter of a second."""


def _list_personas(_: click.Context) -> Iterable[str]:
    import personas

    folder = Path(personas.__file__).with_name("data")
    return sorted(path.stem for path in folder.glob("p*.toml"))


def _list_runs(context: click.Context) -> Iterable[str]:
    return ["latest", *sorted(_folders(context, "runs"), reverse=True)]


def _list_studies(context: click.Context) -> Iterable[str]:
    return sorted(_folders(context, "studies"))


def _list_both(context: click.Context) -> Iterable[str]:
    runs = _list_runs(context)
    try:
        return [*_list_studies(context), *runs]
    except OSError:  # no study yet
        return runs


def _list_value_sets(_: click.Context) -> Iterable[str]:
    return VALUE_SETS


def _list_of(names: Sequence[str]) -> Source:
    return lambda _: names


def _folders(context: click.Context, kind: str) -> list[str]:
    """Return names of folders in the data folder that the line names, or that is usual."""
    typed = (
        context.params[name]
        for name in ("data", "root")
        if name in context.params
        and context.get_parameter_source(name) is not ParameterSource.DEFAULT
    )
    folder = Path(next(typed, None) or default_data()) / kind
    return [path.name for path in folder.iterdir() if path.is_dir()]


OPTIONS: dict[str, Source] = {
    "--persona": _list_personas,
    "--platform": _list_of(PLATFORMS),
    "--strategy": _list_of(STRATEGIES),
    "--model": _list_of(MODELS),
    "--judge": _list_of(MODELS),
    "--checker": _list_of(MODELS),
    "--describe-by": _list_of(MODELS),
    "--encoder": _list_of(ENCODERS),
    "--run": _list_runs,
    "--yoke": _list_runs,
    "--of": _list_runs,
    "--values": _list_value_sets,
    "--set": _list_value_sets,
}
ARGUMENTS: dict[str, Source] = {
    "persona": _list_personas,
    "platform": _list_of(PLATFORMS),
    "run": _list_runs,
    "first": _list_runs,
    "second": _list_runs,
    "runs": _list_both,
    "names": _list_both,
    "study": _list_studies,
}


OR_FILES = frozenset({_list_personas, _list_runs, _list_both, _list_value_sets})
"""Where the path of a file may stand as well."""


class CompletedType(click.ParamType[Any]):
    """The type of a parameter whose values are completed from a list."""

    name = "completed"

    def __init__(self, kind: click.ParamType[Any], source: Source) -> None:
        self._kind = kind
        self._source = source

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return self._kind.convert(value, param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        found: list[str] = []
        with suppress(OSError, click.UsageError):  # no folder, or a wrong feedsway.toml
            found = [name for name in self._source(ctx) if name.startswith(incomplete)]
        if not found and self._source in OR_FILES:
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(name) for name in found]


def complete_values(commands: Sequence[click.Command]) -> None:
    """Have the parameters of these commands, and of groups among them, complete their values."""
    for command in commands:
        if isinstance(command, click.Group):
            complete_values(list(command.commands.values()))
        for param in command.params:
            if isinstance(param.type, click.Choice):
                continue
            sources = ARGUMENTS if isinstance(param, click.Argument) else OPTIONS
            for word in param.opts:
                if word in sources:
                    param.type = CompletedType(param.type, sources[word])
