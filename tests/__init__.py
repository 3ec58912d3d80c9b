"""The checks, one folder per package."""
