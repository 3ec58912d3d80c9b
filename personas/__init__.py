"""Who is watching: personas, Schwartz's values, and the strategies that put a persona to a model."""
