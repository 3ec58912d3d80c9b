"""Skins of the playground: its own items under the documented hooks of three real sites.

A skin lets an adapter meet a page in tests; it looks and tells like its site and holds none of it.
"""

from __future__ import annotations

NAMES = ("tiktok", "youtube", "instagram")
FEEDS = {"tiktok": "foryou", "youtube": "shorts", "instagram": "reels/"}
"""Path of each skin's feed, as on its site."""
