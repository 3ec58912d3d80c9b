"""What it means: I_avg and sway, statistics, summaries, planning.

Reads ledgers; refuses to open a browser or a model, and to change what was recorded.
"""
