"""What was found out about frames: preference pairs, probes, value spectra, trainings."""
