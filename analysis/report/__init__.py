"""The report of a study: one self-contained page, and the tables behind it.

``read_study``, ``read_runs`` and ``read_imported`` gather the material; ``build`` measures it, and
``write`` puts the page and the tables into a folder. Refuses to know the command line.
"""
