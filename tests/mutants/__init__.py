"""Breaks the code in many places, one at a time, and sees whether the ordinary tests notice."""
