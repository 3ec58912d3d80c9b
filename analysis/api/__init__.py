"""What notebooks and scripts measure: a run, a study, two judges, a spectrum, a ladder."""
