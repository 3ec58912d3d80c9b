"""Encoders, which turn pictures and texts into vectors."""

from store.encoders.base import Encoder, Vectors, VectorSpace, unit
from store.encoders.registry import check, load

__all__ = ["Encoder", "VectorSpace", "Vectors", "check", "load", "unit"]
