"""What a daemon is told to do: its watch file, the jobs in it, and its reload."""
