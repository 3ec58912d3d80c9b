"""One run, described alone: the public face of ``one_run`` and ``run_text``."""

from analysis.estimators.one_run import DwellContrast, OneRun, summarise
from analysis.terminal.run_text import render

__all__ = ["DwellContrast", "OneRun", "render", "summarise"]
