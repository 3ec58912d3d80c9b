"""Skins of the playground: its own items under the documented hooks of three real sites.

A skin lets an adapter meet a page in tests; it holds nothing of the site that it looks like.
"""

from __future__ import annotations

FEEDS = {"tiktok": "foryou", "youtube": "shorts", "instagram": "reels/"}
"""Path of each skin's feed, as on its site."""
