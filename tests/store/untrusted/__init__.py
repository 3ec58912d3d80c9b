"""Tests of the door for strangers' bytes."""
