"""Faults happen to every command that writes: kills, full disks and others, and what is left."""
