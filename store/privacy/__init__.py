"""Forgetting, redaction, and the names of persons."""
