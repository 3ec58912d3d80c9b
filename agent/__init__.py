"""Everything that acts: command line, run loop, platforms, drivers, models, the playground.

Imports ``analysis`` nowhere but in ``agent.cli``: the instrument does not know how its readings
are judged.
"""
