"""Measurements of the instrument itself: its overhead beside a bare loop, its viewer."""
