"""How candidates are judged: a sealed test set, folds without leaks, and one metric, each with its reason.

Rows that belong together (a group, or copies of the same row) are never on both sides of a split; every class
of a split's rows is among the rows learnt from; with a time column the future is never used to predict the
past. The folds depend on the seed alone, so they need not be stored.
"""

from perennial.protocol.base import Protocol
from perennial.protocol.choices import KINDS
from perennial.protocol.sealed import SealedTest

__all__ = ["KINDS", "Protocol", "SealedTest"]
