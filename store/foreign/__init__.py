"""The one door at which strangers' text, bytes, pictures and names become clean values.

A caption, a reply, an archive, a CSV cell: whatever someone else wrote is typed, limited and
cleaned here. Imports nothing else of this project, so that everything may use it.
"""
