"""Who is watching: personas, Schwartz's values, and how a persona is put to a model."""
