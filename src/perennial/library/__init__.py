"""The memory of all tasks: records that never change, their evidence, and the store that keeps them.

`records.py` says what is remembered; `base.py` what a store promises; `embedded.py` is the store of one machine;
`golden.py` what a model must say for ever; `description.py` a task in figures, `embedding.py` what its rows look like;
`library.py` adds and finds; `recall.py` suggests recipes, `features.py` parts of networks and models, which `transfer.py`
judges; `seen.py` which rows they have learnt from, `translation.py` how they read those of another table; `upkeep.py`
verifies and sweeps; `pack.py` carries records from one library to another.
"""

from perennial.library.library import Library, default_place, opened
from perennial.library.records import Card, Evidence, Learnt, Record

__all__ = ["Card", "Evidence", "Learnt", "Library", "Record", "default_place", "opened"]
