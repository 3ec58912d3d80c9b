"""Files that only grow, line by line, and files that are there whole or not at all."""
