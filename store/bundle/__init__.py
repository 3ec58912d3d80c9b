"""Audit bundles: one file from which a stranger derives every figure of a report again."""
