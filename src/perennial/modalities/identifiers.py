"""Keys: columns that say which row it is, or whose row it is, rather than anything about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

FEWEST_ROWS = 20
ALL_DIFFERENT = 0.95
REPEATS_OF_A_CATEGORY = 5
FEW_LEVELS = 50
SAMPLE = 2_000
LONG = 40
TELLING_PARTS = 2.5
UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
HEXADECIMAL = re.compile(r"[0-9a-f-]+", re.IGNORECASE)
PARTS = re.compile(r"[A-Za-z]{2,}|\d+")

# Names of keys: unique values under such a name tell rows apart, whatever order they are in.
KEY_NAME = re.compile(
    r"(^|[_\s.-])(ids?|uuid|guid|key|index|idx|row|rownum|rowid|row_?number|record|nr|no|number"
    r"|phone|ssn|isbn|ean|upc|barcode|imei|serial)$"
    r"|^unnamed|^level_0$|^$|(?-i:[a-z]I[dD]$)",
    re.IGNORECASE,
)
# Names of keys whose values may recur; the words for those to whom several rows belong are trusted for texts
# only,
# since `households` may well be a count of them.
ID_NAME = re.compile(r"(^|[_\s.-])(ids?|uuid|guid)$|(?-i:[a-z]I[dD]$)", re.IGNORECASE)
OWNER_NAME = re.compile(
    r"^(patient|customer|client|user|subject|participant|household|speaker)$", re.IGNORECASE
)

# Names of quantities that may well count 1, 2, 3 … along the rows.
MEASURE_NAME = re.compile(
    r"^[a-z]$|^x_?\d*$|(^|[_\s.-])(step|steps|second|minute|hour|day|week|month|quarter|year|time|period"
    r"|age|epoch|iteration|trial|dose|distance|size|position|rank|level|count|amount|value|feature"
    r"|depth|height|width|length|weight|temperature|pressure|speed|price|cost)s?(?![a-z])",
    re.IGNORECASE,
)
# Names of codes: numbers under such a name have no order.
CODE_NAME = re.compile(
    r"(^|[_\s.-]|(?-i:(?<=[a-z])(?=[A-Z])))"
    r"(code|type|kind|category|region|district|county|state|country|colou?r"
    r"|gender|sex|cluster|department|subclass)$",
    re.IGNORECASE,
)
ORDERED_NAME = re.compile(r"(level|grade|rank|rating|score|quality|stage|size)", re.IGNORECASE)


def counts_rows(name: str, cells: np.ndarray) -> str:
    """Why whole numbers tell rows apart; "" when they do not.

    Args:
        name: of the column.
        cells: whole numbers, none missing, `(n,)`.
    """
    rows = len(cells)
    distinct = np.unique(cells)
    if len(distinct) < ALL_DIFFERENT * rows or rows < 5:
        return ""
    if KEY_NAME.search(name) and len(distinct) > 3:
        return "whole numbers that differ from row to row, under the name of a key"
    dense = int(distinct[-1]) - int(distinct[0]) + 1 == len(distinct) == rows
    if dense and rows >= FEWEST_ROWS and not MEASURE_NAME.search(name):
        return "whole numbers that count the rows"
    return ""


def names_rows(levels: Sequence[str], known: int) -> str:
    """Why texts tell rows apart; "" when they do not.

    Words in sentences, and strings that are put together from parts which recur (paths, formulas,
    architectures), do not:
    something can be learnt from them.

    Args:
        levels: the distinct texts.
        known: how many cells are not missing.
    """
    if known < FEWEST_ROWS or len(levels) < ALL_DIFFERENT * known:
        return ""
    sample = levels[:SAMPLE]
    if np.mean([len(level.split()) for level in sample]) >= 1.5:
        return ""
    if all(UUID.fullmatch(level.strip()) for level in sample[:FEWEST_ROWS]):
        return "a universally unique identifier in every row"
    return "" if is_composed(sample) else "single words that differ from row to row"


def is_composed(levels: Sequence[str]) -> bool:
    """Whether long strings are put together from parts that recur, so that the parts tell something."""
    if all(HEXADECIMAL.fullmatch(level) for level in levels[:FEWEST_ROWS]):
        return False
    parts = [set(PARTS.findall(level.lower())) for level in levels]
    counts = Counter(part for found in parts for part in found)
    telling = {
        part for part, count in counts.items() if max(2, 0.02 * len(levels)) <= count <= 0.9 * len(levels)
    }
    if np.mean([len(found & telling) for found in parts]) >= TELLING_PARTS:
        return True
    return float(np.median([len(level) for level in levels])) > LONG and len(set("".join(levels[:200]))) < 30


def names_owner(name: str, unique: int, known: int) -> bool:
    """Whether a column names to whom a row belongs: a key by name whose values recur, but too seldom for a
    category."""
    return bool(ID_NAME.search(name)) and unique > FEW_LEVELS and known < REPEATS_OF_A_CATEGORY * unique


def is_code(name: str, values: np.ndarray, unique: int) -> bool:
    """Whether whole numbers are names in disguise: few, each often, and called a code or a key."""
    if (
        unique < 3
        or len(values) < REPEATS_OF_A_CATEGORY * unique
        or not np.array_equal(values, np.round(values))
        or values.min() < 0
    ):
        return False
    if ID_NAME.search(name):
        return True
    return unique <= FEW_LEVELS and bool(CODE_NAME.search(name)) and not ORDERED_NAME.search(name)
