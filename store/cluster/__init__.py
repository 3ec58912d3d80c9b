"""Work on the machines of a Ray cluster: an option (``--on ray``) of what one machine does too."""
