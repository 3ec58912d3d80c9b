"""Checks plug-ins as feedsway checks its own parts: each is loaded, and does what its kind does."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
from PIL import Image

from agent import platforms
from agent.doctor.machine import DoctorCheck
from agent.drivers.base import SiteAnswer
from agent.errors import RunFault, UserError
from agent.models import load_here, providers
from agent.models.base import Model, Question
from agent.platforms import load_platform
from personas import strategies
from personas.library import find
from store import encoders
from store.encoders import registry
from store.errors import StoreError
from store.plug_ins.entry_points import RAISED, PlugIn, PlugInKind, find_broken_packages
from store.plug_ins.stdout_guard import print_to_stderr
from store.runs.ledger_lines import Video

PlugInCheck = Callable[[PlugIn], str]
"""Returns what holds, in words; raises ``PlugInFault`` where something does not."""
AWKWARD: tuple[Any, ...] = (None, True, 0, "", "x", [], [None], {}, {"items": None}, [[{"id": 1}]])
"""Bodies of responses that no site means, and every parser takes."""


def check_plug_ins(
    more: Mapping[PlugInKind, PlugInCheck], *, needed: bool
) -> Iterator[DoctorCheck]:
    """Check every plug-in that is installed.

    Parameters
    ----------
    more
        Kinds that are not this package's, each with its check.
    needed
        Whether one that fails is a fault.
    """
    kinds: dict[PlugInKind, PlugInCheck] = {
        providers.PLUG_INS: check_model,
        registry.PLUG_INS: check_encoder,
        strategies.PLUG_INS: check_strategy,
        platforms.PLUG_INS: check_platform,
        **more,
    }
    for kind, check in kinds.items():
        for plug_in in kind.all():
            yield _check(kind, plug_in, check, needed=needed)
    for broken in find_broken_packages():
        yield DoctorCheck("package", ok=False, found=broken.label, fix=broken.fix, needed=needed)


def _check(kind: PlugInKind, plug_in: PlugIn, check: PlugInCheck, *, needed: bool) -> DoctorCheck:
    name, package = f"{plug_in.kind} {plug_in.name}", f"{plug_in.package} {plug_in.version}"
    try:
        kind.find(plug_in.name)
        with print_to_stderr():
            holds = check(plug_in)
    except (UserError, StoreError) as error:
        return DoctorCheck(name, ok=False, found=package, fix=str(error), needed=needed)
    except RunFault as error:
        problem = str(plug_in.refuse(str(error)))
        return DoctorCheck(name, ok=False, found=package, fix=problem, needed=needed)
    except RAISED as error:
        problem = str(plug_in.refuse(f"a check fails with {plug_in.tell_error(error)}"))
        return DoctorCheck(name, ok=False, found=package, fix=problem, needed=needed)
    return DoctorCheck(name, ok=True, found=f"{package}: {holds}", needed=needed)


def check_model(plug_in: PlugIn) -> str:
    """Ask a question and its opposite about a grey picture, where that costs nothing."""
    name = f"{plug_in.name}/doctor"
    can = providers.find_capabilities(name)
    if can.costs or not can.in_process:
        return "loads; not asked, since that costs or leaves this machine"
    model, again = load_here(name), load_here(name)
    if model.fingerprint != again.fingerprint:
        raise plug_in.refuse("its fingerprint differs each time that it is loaded")
    answers = asyncio.run(_ask(model))
    for words, reading in answers:
        if reading.answer is None and reading.missing != "refused":
            raise plug_in.refuse(f"its reply {words[:60]!a} is {reading.missing}")
    plain, opposite = (reading.answer or "with a refusal" for _, reading in answers)
    return f"answers {plain}, and {opposite} where the opposite is asked"


async def _ask(model: Model) -> list[tuple[str, strategies.Reading]]:
    buffer = io.BytesIO()
    Image.new("RGB", (360, 640), "grey").save(buffer, "JPEG")
    answers = []
    for mirrored in (False, True):
        prompt = strategies.build("simple", find("p12"), mirrored=mirrored)
        reply = await model.ask(Question(prompt, (buffer.getvalue(),), "a horse in a field"))
        answers.append((reply.text, strategies.read(prompt, reply.text)))
    await model.close()
    return answers


def check_encoder(plug_in: PlugIn) -> str:
    """Embed two pictures and two texts twice: the encoder checks the vectors, and they agree."""
    encoder = encoders.load(plug_in.name)
    pictures = [Image.new("RGB", (36, 64), colour) for colour in ("red", "blue")]
    texts = ["a red car", ""]
    for vectors, once_more in (
        (encoder.images(pictures), encoder.images(pictures)),
        (encoder.texts(texts), encoder.texts(texts)),
    ):
        if not np.allclose(vectors, once_more, atol=1e-3):
            raise plug_in.refuse("the same input gets another vector each time")
    return f"{encoder.id}, {encoder.dim} dimensions"


def check_strategy(plug_in: PlugIn) -> str:
    """Build every wording of every question, with nothing of the persona but its traits."""
    persona, count = find("p12"), strategies.paraphrases(plug_in.name)
    for wording, explain, order in product(range(count), (False, True), strategies.ORDERS):
        plain, mirrored = (
            strategies.build(
                plug_in.name,
                persona,
                mirrored=opposite,
                paraphrase=wording,
                explain=explain,
                order=order,
            )
            for opposite in (False, True)
        )
        words = f"{plain.system}\n{plain.user}"
        if any(trait not in words for trait in persona.traits):
            raise plug_in.refuse(f"its paraphrase {wording + 1} leaves traits out")
        if plain.user == mirrored.user:
            raise plug_in.refuse(f"its paraphrase {wording + 1} has no opposite question")
    return f"{count} wording{'s' if count > 1 else ''}"


def check_platform(plug_in: PlugIn) -> str:
    """Give its parser what no site means; the site itself is not visited."""
    platform = load_platform(plug_in.name)
    for body in AWKWARD:
        found = platform.parse(SiteAnswer(platform.url, body))
        if not isinstance(found, list) or not all(isinstance(one, Video) for one in found):
            raise plug_in.refuse(f"its parse gave no list of videos for {body!a}")
    return f"{platform.url}; to walk it, type: python -m agent doctor --platform {platform.name}"
