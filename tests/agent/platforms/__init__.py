"""Checks of the platforms."""
