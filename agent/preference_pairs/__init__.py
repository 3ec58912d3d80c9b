"""Makes preference pairs of stored frames."""
