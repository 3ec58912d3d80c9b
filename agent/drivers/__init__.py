"""Hands and eyes: how a page is opened, looked at, watched and moved."""
