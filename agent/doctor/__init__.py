"""Is this machine ready, and is a platform as it was?"""
