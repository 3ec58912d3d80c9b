"""The Value-Spectrum paper's two tables, of one's own study, with the paper's rows beneath."""
