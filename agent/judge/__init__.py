"""A judge: a strategy put to a model, with its budget, its patience and its kept replies."""
