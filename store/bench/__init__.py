"""How long what is kept takes at size, measured on a collection made for it."""
