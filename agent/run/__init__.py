"""One run: what is done with each video, and how it is kept."""
