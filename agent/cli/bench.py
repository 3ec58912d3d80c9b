"""``python -m agent bench``: what the instrument costs, beside a bare Playwright loop."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import click

from agent.cli.options import browser_option, json_option
from store.terminal.printing import echo

MEDIAN_S = 1.0
"""Latency of the made service, in the median."""
EPILOG = """
\b
Examples:
  python -m agent bench --rounds 1
  python -m agent bench --picture --rounds 1
  python -m agent bench --warm 4
  python -m agent bench --questions 400
  python -m agent bench --gpu
"""


@click.command(epilog=EPILOG)
@click.option("--rounds", type=click.IntRange(1), default=4, show_default=True)
@click.option(
    "--memory", "videos", type=click.IntRange(200), metavar="VIDEOS", help="Measure memory instead."
)
@click.option(
    "--questions",
    type=click.IntRange(1),
    metavar="N",
    help="Measure instead how fast a served model that takes a second is asked N questions.",
)
@click.option(
    "--renew-after",
    type=click.IntRange(0),
    default=200,
    show_default=True,
    help="With --memory: open the browser anew after so many videos; 0: never.",
)
@click.option(
    "--picture", is_flag=True, help="Measure instead what many questions about one picture cost."
)
@click.option(
    "--gpu", is_flag=True, help="Measure instead how many pictures and questions a GPU takes."
)
@click.option(
    "--warm",
    type=click.IntRange(1),
    metavar="VIDEOS",
    help="Measure instead what a short run costs with and without a warm worker.",
)
@browser_option
@json_option
def bench(
    rounds: int,
    browser: str | None,
    *,
    picture: bool,
    gpu: bool,
    as_json: bool,
    **options: int | None,
) -> None:
    """Measure the part of a step that is neither model, dwell nor the site's own animation.

    With --memory, measure instead how the memory of a long run grows; with --warm, the processor
    time and memory of short runs that share one warm model; with --picture, a local model of
    random weights that is asked about a video's frames twenty times, alone and together; with
    --questions, how fast stored frames are asked about; with --gpu, pictures a second of an encoder
    and questions a second of a local model, both of real shapes with random weights.
    """
    from agent.benchmarks.overhead import measure_overhead
    from agent.drivers.web.browser import find_browser

    if picture:
        _picture(rounds)
        return
    if gpu:
        _gpu(rounds)
        return
    if options["videos"] is not None:
        _memory(options["videos"], options["renew_after"] or 0, browser)
        return
    if options["warm"] is not None:
        _warm(options["warm"], browser)
        return
    if options["questions"] is not None:
        _asking(options["questions"])
        return
    with tempfile.TemporaryDirectory() as folder:
        result = measure_overhead(
            Path(folder), find_browser(browser), rounds, lambda line: echo(line, err=True)
        ).as_dict()
    if as_json:
        echo(json.dumps(result, indent=2))
        return
    echo(f"a bare Playwright loop   {result['bare_ms']:6.1f} ms a step (median)")
    echo(f"feedsway                 {result['feedsway_ms']:6.1f} ms, {result['ratio']} times")
    for stage, value in result["stages_ms"].items():
        echo(f"  {stage:<22} {value:6.1f} ms")


def _picture(rounds: int) -> None:
    from agent.benchmarks.shared_picture_cost import Shape, make_llava, measure_sharing

    whole_width, small = Shape(part=1, depth=32), Shape()
    found = {
        f"1/{shape.part} of the widths, 1/{shape.depth} of the layers": measure_sharing(
            make_llava(shape), rounds, lambda line: echo(line, err=True), frames=frames
        ).as_dict()
        for shape, frames in ((whole_width, 1), (small, 4))
    }
    echo(json.dumps(found, indent=2))


def _gpu(rounds: int) -> None:
    from agent.benchmarks.gpu_speed import choose_load, measure_gpu
    from store.encoders._torch import pick_device

    device = pick_device()
    if device == "cpu":
        echo("This machine has no GPU that torch can use, so nothing was measured.")
        return
    with tempfile.TemporaryDirectory() as folder:
        found = measure_gpu(
            device, choose_load(device), rounds, Path(folder), lambda line: echo(line, err=True)
        )
    echo(json.dumps(found, indent=2))


def _asking(questions: int) -> None:
    from agent.benchmarks.asking import measure_asking
    from store.terminal.printing import counting

    with tempfile.TemporaryDirectory() as folder, counting("asking") as tell:
        cost = measure_asking(Path(folder), questions, MEDIAN_S, tell)
    echo(json.dumps(cost.as_dict(), indent=2))


def _memory(videos: int, renew_after: int, browser: str | None) -> None:
    from agent.benchmarks.memory import measure_memory
    from agent.drivers.web.browser import find_browser

    with tempfile.TemporaryDirectory() as folder:
        found = measure_memory(
            Path(folder),
            find_browser(browser),
            videos,
            renew_after,
            lambda line: echo(line, err=True),
        )
    echo(json.dumps(found.as_dict(), indent=2))


def _warm(videos: int, browser: str | None) -> None:
    from agent.benchmarks.warm_start import measure_warm_start

    with tempfile.TemporaryDirectory() as folder:
        measured = measure_warm_start(
            Path(folder), browser, videos, lambda line: echo(line, err=True)
        )
    echo(json.dumps(measured, indent=2))
