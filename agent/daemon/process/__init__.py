"""The processes that a daemon starts: their ends, their retries, and what they may use."""
