"""The report of a study: one self-contained page, and the tables behind it."""
