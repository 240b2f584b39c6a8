"""Examples: pairs of inputs and outputs from which a program is to be found, from JSON, tables and Python.

A file of examples is `{"train": [{"input": …, "output": …}, …], "test": [{"input": …}, …]}` (ARC files are
this), or the list alone; several arguments are `"inputs": […]`, or `"inputs": {"name": …}`. A table is filled by
example: rows with an empty target are the ones to fill.

>>> examples = examples_from([([3, 1, 2], [1, 2, 3]), ([9, 7], [7, 9])])
>>> examples.names, examples.types, examples.output_type
(('xs',), (List[Int],), List[Int])
"""

from perennial.modalities.examples.codec import ExamplesCodec
from perennial.modalities.examples.reading import (
    ExampleSet,
    examples_from,
    is_examples,
    raw_table,
    read_examples,
    table_examples,
    with_rows,
)
from perennial.modalities.examples.sensing import sense_examples
from perennial.modalities.examples.values import (
    example_hashes,
    fitted,
    joined_types,
    object_array,
    plain,
    type_of,
)

__all__ = [
    "ExampleSet",
    "ExamplesCodec",
    "example_hashes",
    "examples_from",
    "fitted",
    "is_examples",
    "joined_types",
    "object_array",
    "plain",
    "raw_table",
    "read_examples",
    "sense_examples",
    "table_examples",
    "type_of",
    "with_rows",
]
