"""A made-up fourth site: its page, its adapter, written by docs/adding-a-platform.md, its test."""
