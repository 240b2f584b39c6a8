"""Formulas for numbers: symbolic regression by exact algebra, enumeration, fitted constants and evolution."""

from perennial.synthesis.formulas.answer import Answer, answer_of, find_formula, named
from perennial.synthesis.formulas.search import Discovery

__all__ = ["Answer", "Discovery", "answer_of", "find_formula", "named"]
