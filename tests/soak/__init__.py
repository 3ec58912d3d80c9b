"""A soak: a real daemon on the playground, hit by random faults, and what became of its videos."""
