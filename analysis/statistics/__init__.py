"""Intervals, permutation tests, correlation within batches, null models."""
