"""The one door at which strangers' text, bytes, pictures and names become clean values.

Typed, limited and cleaned. Imports nothing else of this project, so that everything may use it.
"""
