"""Checks of the drivers."""
