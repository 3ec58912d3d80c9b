"""Checks of the analysis: estimates against hand-computed values and simulation."""
