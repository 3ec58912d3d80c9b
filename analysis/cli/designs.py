"""``python -m analysis designs``: the comparison of designs, on the command line.

Refuses to compute: ``design_comparison`` does.
"""

from __future__ import annotations

import sys

import click

from analysis.cli.options import json_option, put, seed_option

EPILOG = """
\b
Examples:
  $ python -m analysis designs --studies 10
  $ python -m analysis designs --refinements --studies 10
"""


@click.command(epilog=EPILOG)
@click.option(
    "--studies",
    type=click.IntRange(2),
    default=400,
    show_default=True,
    help="Simulated studies a figure; 400 take about a minute.",
)
@click.option(
    "--refinements",
    is_flag=True,
    help="Compare instead what could be added to the matrix and the borrowed base: graded scores, "
    "batch weights, other adjustments for the before window.",
)
@seed_option
@json_option
def designs(studies: int, refinements: bool, seed: int, as_json_: bool) -> None:
    """Compare the designs at equal numbers of videos, in many simulated worlds.

    Power, false positives, coverage and bias of the paper's I_avg, the paired design, the borrowed
    base and the persona matrix, and what breaks them. As Markdown.
    """
    from analysis.simulation import design_comparison
    from analysis.simulation import refinements as refined
    from analysis.terminal.design_text import table_text
    from analysis.terminal.refinement_text import refinements_text

    with click.progressbar(
        length=1, label="simulating", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as shown:

        def tell(done: int, total: int) -> None:
            shown.length = total
            shown.update(done - shown.pos)

        if refinements:
            found = refined.table(studies, seed, tell)
            put(found, lambda: refinements_text(found), as_json_)
        else:
            told = design_comparison.table(studies, seed, tell)
            put(told, lambda: table_text(told), as_json_)
