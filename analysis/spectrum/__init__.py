"""The value spectrum: which values' pictures a model likes, with intervals, and its report."""
