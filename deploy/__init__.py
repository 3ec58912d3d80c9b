"""How feedsway is installed, locked, listed and released."""
