"""Studies: a declared matrix of runs, drawn, conducted, resumed, extended."""
