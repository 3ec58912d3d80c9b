"""Asks models about stored frames."""
