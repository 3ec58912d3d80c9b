"""What every command line shares: printing that steers nothing, and errors as exit codes."""
