"""Copies of a data folder, and the way back."""
