"""Recordings of a site's session: their format, and how a session becomes one."""
