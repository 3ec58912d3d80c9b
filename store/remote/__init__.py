"""Data folders beyond one disk: an object store, leases in it, and a cache on each machine."""
