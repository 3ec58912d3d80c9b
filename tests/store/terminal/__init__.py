"""Tests of what every command line shares."""
