"""Screenshots by their hash, and which of them are nearly the same."""
