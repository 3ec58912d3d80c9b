"""Checks of the agent."""
