"""What a daemon has done: its event log, read, written, followed and folded into a state."""
