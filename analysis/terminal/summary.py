"""One run, described alone: the public face of ``describe`` and ``render``.

Refuses to compute anything itself.
"""

from analysis.describe import DwellContrast, RunSummary, summarise
from analysis.render import render

__all__ = ["DwellContrast", "RunSummary", "render", "summarise"]
