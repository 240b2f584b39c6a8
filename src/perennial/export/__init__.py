"""Grown programs in forms that need no perennial: Python, a pipeline, LaTeX, pandas, SQL."""
