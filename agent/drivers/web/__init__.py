"""Watches a page in a browser of our own."""
