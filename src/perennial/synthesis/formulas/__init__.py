"""Formulas for numbers: symbolic regression by exact algebra, enumeration, fitted constants and evolution."""

from perennial.synthesis.formulas.engine import Answer, Formulas, find_formula
from perennial.synthesis.formulas.search import discover

__all__ = ["Answer", "Formulas", "discover", "find_formula"]
