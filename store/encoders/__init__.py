"""Encoders, which turn pictures and texts into vectors."""

from store.encoders.base import Encoder, Vectors, unit
from store.encoders.registry import check, load

__all__ = ["Encoder", "Vectors", "check", "load", "unit"]
