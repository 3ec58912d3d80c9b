"""Questions to providers' batch services: at half the price, answered within a day."""

IN_BATCH = 2000
"""Questions that are handed over together, unless a number is pinned; they are in memory until
then."""
