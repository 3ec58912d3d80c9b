"""Example data, made up by rule, that documentation and notebooks open."""
