"""Data folders in a store elsewhere."""
