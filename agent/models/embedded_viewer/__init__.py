"""The viewer that comes with its packages."""
