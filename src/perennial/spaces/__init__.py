"""Spaces: programs with open choices, and the genotypes that close them. Start with `base.py`."""

from perennial.spaces.base import Genotype, Limits, Space, integer, one_of, optional, real, recurse, repeat

__all__ = ["Genotype", "Limits", "Space", "integer", "one_of", "optional", "real", "recurse", "repeat"]
