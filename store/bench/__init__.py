"""How long what is kept takes at size, measured on a collection made for it.

Refuses to touch anybody's data folder.
"""
