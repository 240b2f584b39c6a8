"""Programs for grids: a bank of interned transforms, and decision rules over cells learnt on top of it."""

from perennial.synthesis.grids.search import GridSearch, Guess, guesses

__all__ = ["GridSearch", "Guess", "guesses"]
