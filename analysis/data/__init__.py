"""Exposures as rows, the windows that they lie in, and their counts."""
