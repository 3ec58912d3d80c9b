"""Packages of other people that plug in: where they are, what their code is, what they print."""
