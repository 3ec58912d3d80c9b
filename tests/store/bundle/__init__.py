"""Tests of audit bundles."""
