"""The daemon: starts declared studies and runs when due, for weeks, and can be looked into.

What happened is the journal's (``journal``), what was seen is the ledgers'; everything else the
daemon knows it derives from these two, so that a killed daemon goes on as if nothing had happened.
"""
