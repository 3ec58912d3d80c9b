"""What is kept, as a collection that others can use: rows, splits, formats, card and manifest."""
