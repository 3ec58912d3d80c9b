"""Learning curves of trained judges."""
