"""What is counted: one number for a prediction, its interval, and whether a difference is more than luck.

>>> import numpy as np
>>> metric = resolve("accuracy")
>>> metric(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]))
0.6666666666666666
"""

from perennial.metrics.base import Metric, decide, unseen_class_rows
from perennial.metrics.catalogue import METRICS, PROBLEMS, choose, resolve
from perennial.metrics.significance import (
    calibration_table,
    interval,
    paired_difference,
    standard_error,
    wilson,
)

__all__ = [
    "METRICS",
    "PROBLEMS",
    "Metric",
    "calibration_table",
    "choose",
    "decide",
    "interval",
    "paired_difference",
    "standard_error",
    "resolve",
    "unseen_class_rows",
    "wilson",
]
