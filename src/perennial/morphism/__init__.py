"""Weights that move with the architecture, so that a grown child goes on where its parent stopped.

Net2Net (Chen, Goodfellow & Shlens 2016), network morphism (Wei, Wang, Rui & Chen 2016) and path-level
transformations (Cai, Yang, Zhang, Han & Yu 2018) are one operation here: the child is read as an edited copy of the
parent (`alignment`), and each of its layers gets the weights with which it computes what the parent's layer computed
(`carrying`). Where that is impossible it gets the parts that fit, and the result says that it is not exact.
"""

from perennial.morphism.inheriting import Inherited, inherit

__all__ = ["Inherited", "inherit"]
