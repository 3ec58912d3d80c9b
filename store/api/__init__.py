"""What notebooks and scripts read: runs, steps as tables, frames, searches."""
