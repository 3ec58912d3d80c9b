"""Watches a player on the screen with mouse and keyboard, as a person does."""
