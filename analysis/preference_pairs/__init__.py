"""Checks of preference pairs and of hallucination probes."""
