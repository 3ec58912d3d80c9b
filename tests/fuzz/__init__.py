"""Fuzzing of every door at which bytes come in that somebody else has written."""
