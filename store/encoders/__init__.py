"""Encoders, which turn pictures and texts into vectors."""

from store.encoders.base import CustomEncoder, Encoder, Vectors, VectorSpace, unit
from store.encoders.registry import check, load

__all__ = ["CustomEncoder", "Encoder", "VectorSpace", "Vectors", "check", "load", "unit"]
