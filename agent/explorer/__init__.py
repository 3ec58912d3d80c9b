"""The explorer: one local web page to look through all that a data folder holds."""
