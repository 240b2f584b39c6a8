"""Which words the kernels know, and how programs are built from what they found."""

from __future__ import annotations

from collections.abc import Callable

from perennial.lang import Op, Program, Word, call
from perennial.spaces.grammar import Grammar
from perennial.synthesis import kernels as k
from perennial.synthesis.columns import Rule, word

# name: (code, kinds of the kernel's arguments, kind of the result, order of the word's arguments)
SCALAR_WORDS = {
    "add": (k.ADD, "int int", "int", ()),
    "subtract": (k.SUBTRACT, "int int", "int", ()),
    "multiply": (k.MULTIPLY, "int int", "int", ()),
    "divide": (k.DIVIDE, "int int", "int", ()),
    "remainder": (k.REMAINDER, "int int", "int", ()),
    "smaller": (k.SMALLER, "int int", "int", ()),
    "larger": (k.LARGER, "int int", "int", ()),
    "negate": (k.NEGATE, "int", "int", ()),
    "absolute": (k.ABSOLUTE, "int", "int", ()),
    "square": (k.SQUARE, "int", "int", ()),
    "to_the": (k.POWER, "int int", "int", ()),
    "less": (k.LESS, "int int", "bool", ()),
    "at_most": (k.AT_MOST, "int int", "bool", ()),
    "equal": (k.EQUAL, "int int", "bool", ()),
    "divides": (k.DIVIDES, "int int", "bool", ()),
    "is_even": (k.IS_EVEN, "int", "bool", ()),
    "is_odd": (k.IS_ODD, "int", "bool", ()),
    "is_prime": (k.IS_PRIME, "int", "bool", ()),
    "is_square": (k.IS_SQUARE, "int", "bool", ()),
    "not": (k.NOT, "bool", "bool", ()),
    "and": (k.AND, "bool bool", "bool", ()),
    "or": (k.OR, "bool bool", "bool", ()),
}
LIST_WORDS = {
    "reverse": (k.REVERSE, "list", "list", ()),
    "sort": (k.SORT, "list", "list", ()),
    "sort_down": (k.SORT_DOWN, "list", "list", ()),
    "unique": (k.UNIQUE, "list", "list", ()),
    "tail": (k.TAIL, "list", "list", ()),
    "init": (k.INIT, "list", "list", ()),
    "running_totals": (k.RUNNING_TOTALS, "list", "list", ()),
    "differences": (k.DIFFERENCES, "list", "list", ()),
    "places": (k.PLACES, "list", "list", ()),
    "repeated": (k.REPEATED, "list", "list", ()),
    "take": (k.TAKE, "list int", "list", ()),
    "drop": (k.DROP, "list int", "list", ()),
    "take_last": (k.TAKE_LAST, "list int", "list", ()),
    "drop_last": (k.DROP_LAST, "list int", "list", ()),
    "add_last": (k.ADD_LAST, "list int", "list", ()),
    "prepend": (k.PREPEND, "list int", "list", (1, 0)),
    "remove_at": (k.REMOVE_AT, "list int", "list", ()),
    "remove_item": (k.REMOVE_ITEM, "list int", "list", ()),
    "remove_first": (k.REMOVE_FIRST, "list int", "list", ()),
    "rotate": (k.ROTATE, "list int", "list", ()),
    "tiled": (k.TILED, "list int", "list", ()),
    "every": (k.EVERY, "list int", "list", ()),
    "slice": (k.SLICE, "list int int", "list", ()),
    "insert_at": (k.INSERT_AT, "list int int", "list", ()),
    "replace_at": (k.REPLACE_AT, "list int int", "list", ()),
    "swap": (k.SWAP, "list int int", "list", ()),
    "append": (k.APPEND, "list list", "list", ()),
    "without": (k.WITHOUT, "list list", "list", ()),
    "common": (k.COMMON, "list list", "list", ()),
    "interleave": (k.INTERLEAVE, "list list", "list", ()),
    "single": (k.SINGLE, "int", "list", ()),
    "range": (k.RANGE, "int", "list", ()),
    "digits": (k.DIGITS, "int", "list", ()),
    "replicate": (k.REPLICATE, "int int", "list", ()),
    "range_from": (k.RANGE_FROM, "int int", "list", ()),
    "length": (k.LENGTH, "list", "int", ()),
    "total": (k.TOTAL, "list", "int", ()),
    "biggest": (k.BIGGEST, "list", "int", ()),
    "smallest": (k.SMALLEST, "list", "int", ()),
    "first_item": (k.HEAD, "list", "int", ()),
    "last": (k.LAST, "list", "int", ()),
    "product": (k.PRODUCT, "list", "int", ()),
    "most_common": (k.MOST_COMMON, "list", "int", ()),
    "at": (k.AT, "list int", "int", ()),
    "count_item": (k.COUNT_ITEM, "list int", "int", ()),
    "place_of": (k.PLACE_OF, "list int", "int", ()),
    "has_no_items": (k.HAS_NO_ITEMS, "list", "bool", ()),
    "is_sorted": (k.IS_SORTED, "list", "bool", ()),
    "contains": (k.CONTAINS, "list int", "bool", ()),
}
FUNCTION_WORDS = {
    "map": (k.MAP, "map list", "list", ()),
    "filter": (k.FILTER, "test list", "list", ()),
    "take_while": (k.TAKE_WHILE, "test list", "list", ()),
    "drop_while": (k.DROP_WHILE, "test list", "list", ()),
    "sort_by": (k.SORT_BY, "map list", "list", ()),
    "count": (k.COUNT, "test list", "int", ()),
    "find_first": (k.FIND_FIRST, "test list", "int", ()),
    "max_by": (k.MAX_BY, "map list", "int", ()),
    "min_by": (k.MIN_BY, "map list", "int", ()),
    "any": (k.ANY, "test list", "bool", ()),
    "all": (k.ALL, "test list", "bool", ()),
}
MIRRORED = {"add", "multiply", "smaller", "larger", "equal", "and", "or", "swap"}
PAIRED = {
    "add": k.SUMS,
    "subtract": k.GAPS,
    "multiply": k.PRODUCTS,
    "larger": k.MAXIMA,
    "smaller": k.MINIMA,
}
RUNNING = {"larger": k.RUNNING_MAXIMA, "smaller": k.RUNNING_MINIMA}


def scalar_rules(grammar: Grammar) -> list[Rule]:
    """The words of the grammar on numbers and truth values."""
    return _rules(grammar, SCALAR_WORDS)


def list_rules(grammar: Grammar) -> list[Rule]:
    """All words of the grammar that the kernels know, and some phrases of two."""
    words = {op.name: op for op in grammar.words}
    rules = _rules(grammar, SCALAR_WORDS | LIST_WORDS | FUNCTION_WORDS)
    if "equal" in words:
        cost = grammar.word_cost(words["equal"])
        rules.append(Rule(k.SAME_LIST, ("list", "list"), "bool", word(words["equal"]), cost, True))
    if "map_pairs" in words:
        rules += _paired(grammar, words)
    if "scan" in words and "first_item" in words:
        rules += _running(grammar, words)
    return rules


def _rules(grammar: Grammar, table: dict) -> list[Rule]:
    found = []
    for op in grammar.words:
        if op.name in table:
            code, kinds, result, order = table[op.name]
            cost = grammar.word_cost(op)
            found.append(
                Rule(code, tuple(kinds.split()), result, word(op, *order), cost, op.name in MIRRORED)
            )
    return found


def _paired(grammar: Grammar, words: dict[str, Op]) -> list[Rule]:
    """`map_pairs(add, …)` and the like."""
    outer = words["map_pairs"]
    found = []
    for name, code in PAIRED.items():
        if name in words:
            cost = grammar.word_cost(outer) + grammar.word_cost(words[name])
            build = _around(outer, words[name])
            found.append(Rule(code, ("list", "list"), "list", build, cost, name in MIRRORED))
    return found


def _around(outer: Op, inner: Op) -> Callable[[Program, Program], Program]:
    return lambda left, right: call(outer, Word(inner), left, right)


def _running(grammar: Grammar, words: dict[str, Op]) -> list[Rule]:
    """The largest or smallest number so far."""
    found = []
    for name, code in RUNNING.items():
        if name in words:
            cost = grammar.word_cost(words["scan"]) + grammar.word_cost(words[name]) + 2
            found.append(Rule(code, ("list",), "list", _scanned(words, words[name]), cost))
    return found


def _scanned(words: dict[str, Op], inner: Op) -> Callable[[Program], Program]:
    return lambda items: call(words["scan"], Word(inner), call(words["first_item"], items), items)
