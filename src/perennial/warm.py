"""Imports what almost every candidate needs, so that a worker is warm when its first candidate arrives."""

import lightgbm  # noqa: F401
import scipy.sparse  # noqa: F401
import sklearn.ensemble  # noqa: F401
import sklearn.linear_model  # noqa: F401
import sklearn.metrics  # noqa: F401
