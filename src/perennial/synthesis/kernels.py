"""Inner loops of the search over whole numbers, truth values and lists of whole numbers, compiled by numba.

A candidate is a word applied to known columns. A pass forms all candidates of one word over ranges of known
columns, computes each on all examples, and keeps those whose column of values was not seen before
(observational equivalence by a 64-bit hash; Albarghouthi et al. 2013). Without numba the same functions run
as plain Python, a hundred times slower.

Columns of scalars are rows of an array `(entries, examples)`. Lists lie one after another in an arena;
`offsets[entry, example]` says where each begins. `NONE` marks a scalar without an answer; a list without an
answer is one item `NONE`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

try:
    from numba import njit
except ImportError:  # the search works without it

    def njit(**options: Any) -> Callable:
        """Stands in for numba's decorator."""
        return lambda function: function


COMPILED = hasattr(njit, "__module__") and njit.__module__.startswith("numba")
NONE = -(1 << 30)
LARGEST = 1 << 28
MIX, SEED = np.uint64(0x9E3779B97F4A7C15), np.uint64(0x243F6A8885A308D3)
SHIFT = np.uint64(29)

ADD, SUBTRACT, MULTIPLY, DIVIDE, REMAINDER, SMALLER, LARGER = range(7)
LESS, AT_MOST, EQUAL, DIVIDES, IS_EVEN, IS_ODD, IS_PRIME, IS_SQUARE = range(10, 18)
NOT, AND, OR = range(20, 23)
NEGATE, ABSOLUTE, SQUARE, POWER = range(23, 27)

REVERSE, SORT, SORT_DOWN, UNIQUE, TAIL, INIT, RUNNING_TOTALS, DIFFERENCES, PLACES, REPEATED = range(30, 40)
TAKE, DROP, TAKE_LAST, DROP_LAST, ADD_LAST, PREPEND, REMOVE_AT, REMOVE_ITEM, REMOVE_FIRST = range(40, 49)
ROTATE, TILED, EVERY = range(49, 52)
SLICE, INSERT_AT, REPLACE_AT, SWAP = range(52, 56)
APPEND, WITHOUT, COMMON, INTERLEAVE, SUMS, GAPS, PRODUCTS, MAXIMA, MINIMA = range(56, 65)
SINGLE, RANGE, REPLICATE, RANGE_FROM, RUNNING_MAXIMA, RUNNING_MINIMA, DIGITS = range(65, 72)
LENGTH, TOTAL, BIGGEST, SMALLEST, HEAD, LAST, PRODUCT, MOST_COMMON = range(80, 88)
AT, COUNT_ITEM, PLACE_OF = range(88, 91)
HAS_NO_ITEMS, IS_SORTED, CONTAINS, SAME_LIST = range(91, 95)
MAP, FILTER, TAKE_WHILE, DROP_WHILE, SORT_BY = range(100, 105)
COUNT, FIND_FIRST, MAX_BY, MIN_BY, ANY, ALL = range(105, 111)

COUNT_KEPT, ARENA_END, TRIED, HIT_FIRST, HIT_SECOND, HIT_THIRD, HIT_FOURTH = range(7)
STATE_SIZE = 8


@njit(cache=True, inline="always")
def scalar(op, x, y):
    """One number or truth value from two; `NONE` where there is no answer."""
    if x == NONE or y == NONE:
        return NONE
    value = 0
    if op == ADD:
        value = x + y
    elif op == SUBTRACT:
        value = x - y
    elif op == MULTIPLY:
        value = x * y
    elif op == DIVIDE:
        value = x // y if y != 0 else 0
    elif op == REMAINDER:
        value = x % y if y != 0 else x
    elif op == SMALLER:
        value = min(x, y)
    elif op == LARGER:
        value = max(x, y)
    elif op == LESS:
        value = 1 if x < y else 0
    elif op == AT_MOST:
        value = 1 if x <= y else 0
    elif op == EQUAL:
        value = 1 if x == y else 0
    elif op == DIVIDES:
        value = 1 if x != 0 and y % x == 0 else 0
    elif op == IS_EVEN:
        value = 1 if x % 2 == 0 else 0
    elif op == IS_ODD:
        value = 1 if x % 2 == 1 else 0
    elif op == IS_PRIME:
        value = prime(x)
    elif op == IS_SQUARE:
        value = 0
        if x >= 0:
            root = int(np.sqrt(float(x)))
            for near in range(max(0, root - 1), root + 2):
                if near * near == x:
                    value = 1
    elif op == NOT:
        value = 1 - x
    elif op == AND:
        value = x & y
    elif op == OR:
        value = x | y
    elif op == NEGATE:
        value = -x
    elif op == ABSOLUTE:
        value = abs(x)
    elif op == SQUARE:
        value = x * x
    elif op == POWER:
        value = power(x, y)
    if value > LARGEST or value < -LARGEST:
        return NONE
    return value


@njit(cache=True)
def power(x, exponent):
    """The power, `NONE` for a negative exponent or a large result."""
    if exponent < 0:
        return NONE
    if exponent > 64 and x != 0 and abs(x) != 1:
        return NONE
    value = np.int64(1)
    for _ in range(min(exponent, 64 + exponent % 2)):
        value *= x
        if abs(value) > LARGEST:
            return NONE
    return value


@njit(cache=True)
def prime(x):
    """1 for a prime, 0 for another number, `NONE` above a million."""
    if x > 1000000:
        return NONE
    if x < 2:
        return 0
    divisor = 2
    while divisor * divisor <= x:
        if x % divisor == 0:
            return 0
        divisor += 1
    return 1


@njit(cache=True, inline="always")
def mixed(key, value):
    """A hash with one more number in it."""
    key = (key ^ np.uint64(np.int64(value) & 0xFFFFFFFF)) * MIX
    return key ^ (key >> SHIFT)


@njit(cache=True, inline="always")
def slot_of(key, keys, table):
    """The slot of a key in the table: its own, or the empty one where it belongs."""
    mask = table.shape[0] - 1
    slot = np.int64(key & np.uint64(mask))
    while table[slot] != 0 and keys[table[slot] - 1] != key:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True)
def row_key(row):
    """The hash of a column of scalars."""
    key = SEED
    for place in range(row.shape[0]):
        key = mixed(key, row[place])
    return key


@njit(cache=True)
def list_key(items, offsets):
    """The hash of a column of lists; `offsets` are absolute."""
    key = SEED
    for place in range(offsets.shape[0] - 1):
        key = mixed(key, offsets[place + 1] - offsets[place])
        for at in range(offsets[place], offsets[place + 1]):
            key = mixed(key, items[at])
    return key


@njit(cache=True)
def lookup(key, keys, table):
    """The entry with this key, or -1."""
    return table[slot_of(key, keys, table)] - 1


@njit(cache=True)
def scalar_pass(op, left, first, last, right, begin, end, mirrored, kept, keys, table, parents, state, goal):
    """All candidates `op(left[i], right[j])`; new ones are kept.

    Args:
        op: the code of the word; for words of one argument `begin, end` are 0, 1.
        left, first, last: bank and range of the first argument.
        right, begin, end: bank and range of the second argument.
        mirrored: both ranges are the same and the order does not matter.
        kept, keys, table, parents: the bank of results, its hashes, its hash table, where each came from.
        state: counters; see the constants above.
        goal: hash to look out for once the bank is full.
    """
    width, count, room = kept.shape[1], state[COUNT_KEPT], kept.shape[0]
    tried = 0
    row = np.empty(width, np.int32)
    for i in range(first, last):
        for j in range(i if mirrored else begin, end):
            tried += 1
            key, answers = SEED, 0
            for place in range(width):
                value = scalar(op, np.int64(left[i, place]), np.int64(right[j, place]))
                row[place] = value
                key = mixed(key, value)
                answers += value != NONE
            if answers * 2 < width:
                continue
            if count >= room:
                if key == goal:
                    state[HIT_FIRST], state[HIT_SECOND] = i, j
                continue
            slot = slot_of(key, keys, table)
            if table[slot] != 0:
                continue
            for place in range(width):
                kept[count, place] = row[place]
            keys[count] = key
            parents[count, 0], parents[count, 1], parents[count, 2] = op, i, j
            count += 1
            table[slot] = count
    state[COUNT_KEPT] = count
    state[TRIED] += tried


@njit(cache=True)
def copied(items, begin, end, out, at):
    """Part of the arena copied; where the copy ends."""
    for place in range(begin, end):
        out[at] = items[place]
        at += 1
    return at


@njit(cache=True)
def insertion_sorted(out, begin, end, down):
    """A part sorted in its place."""
    for place in range(begin + 1, end):
        value, at = out[place], place
        while at > begin and ((out[at - 1] < value) if down else (out[at - 1] > value)):
            out[at] = out[at - 1]
            at -= 1
        out[at] = value


@njit(cache=True)
def among(items, begin, end, value):
    """Whether a value is in a part of the arena."""
    for place in range(begin, end):
        if items[place] == value:
            return True
    return False


@njit(cache=True)
def list_to_list(op, items, a, b, c, d, x, y, out, at, longest):
    """A list made of the lists `items[a:b]`, `items[c:d]` and two numbers, written from `out[at]` on.

    Returns:
        Where it ends, -1 when it has no answer, -2 when it is too long.
    """
    n, more = b - a, d - c
    if op == REVERSE:
        for place in range(n):
            out[at + place] = items[b - 1 - place]
        return at + n
    if op in (SORT, SORT_DOWN):
        end = copied(items, a, b, out, at)
        insertion_sorted(out, at, end, op == SORT_DOWN)
        return end
    if op in (UNIQUE, REPEATED):
        end = at
        for place in range(a, b):
            if op == UNIQUE:
                good = not among(items, a, place, items[place])
            else:
                good = among(items, a, place, items[place]) or among(items, place + 1, b, items[place])
            if good:
                out[end] = items[place]
                end += 1
        return end
    if op == TAIL:
        return copied(items, min(a + 1, b), b, out, at)
    if op == INIT:
        return copied(items, a, max(a, b - 1), out, at)
    if op in (RUNNING_TOTALS, RUNNING_MAXIMA, RUNNING_MINIMA):
        if op != RUNNING_TOTALS and n == 0:
            return -1
        value = np.int64(0)
        for place in range(n):
            here = np.int64(items[a + place])
            if op == RUNNING_TOTALS:
                value += here
            elif place == 0:
                value = here
            else:
                value = max(value, here) if op == RUNNING_MAXIMA else min(value, here)
            if abs(value) > LARGEST:
                return -2
            out[at + place] = value
        return at + n
    if op == DIFFERENCES:
        for place in range(n - 1):
            out[at + place] = items[a + place + 1] - items[a + place]
        return at + max(0, n - 1)
    if op == PLACES:
        for place in range(n):
            out[at + place] = place
        return at + n
    if op == TAKE:
        return copied(items, a, a + min(n, max(0, x)), out, at)
    if op == DROP:
        return copied(items, a + min(n, max(0, x)), b, out, at)
    if op == TAKE_LAST:
        return copied(items, b - min(n, max(0, x)), b, out, at)
    if op == DROP_LAST:
        return copied(items, a, b - min(n, max(0, x)), out, at)
    if op == ADD_LAST:
        end = copied(items, a, b, out, at)
        out[end] = x
        return end + 1
    if op == PREPEND:
        out[at] = x
        return copied(items, a, b, out, at + 1)
    if op == REMOVE_AT:
        if x < 0 or x >= n:
            return copied(items, a, b, out, at)
        return copied(items, a + x + 1, b, out, copied(items, a, a + x, out, at))
    if op in (REMOVE_ITEM, REMOVE_FIRST):
        gone = 0
        for place in range(a, b):
            if items[place] == x and (op == REMOVE_ITEM or gone == 0):
                gone += 1
            else:
                out[at] = items[place]
                at += 1
        return at
    if op == ROTATE:
        cut = x % n if n > 0 else 0
        return copied(items, a, a + cut, out, copied(items, a + cut, b, out, at))
    if op == TILED:
        if n * x > longest:
            return -2
        if n > 0:
            for _ in range(x):
                at = copied(items, a, b, out, at)
        return at
    if op == EVERY:
        if x < 1:
            return -1
        for place in range(a, b, x):
            out[at] = items[place]
            at += 1
        return at
    if op == SLICE:
        start, stop = min(n, max(0, x)), min(n, max(0, y))
        return copied(items, a + start, a + max(start, stop), out, at)
    if op == INSERT_AT:
        cut = min(n, max(0, x))
        end = copied(items, a, a + cut, out, at)
        out[end] = y
        return copied(items, a + cut, b, out, end + 1)
    if op == REPLACE_AT:
        end = copied(items, a, b, out, at)
        if 0 <= x < n:
            out[at + x] = y
        return end
    if op == SWAP:
        end = copied(items, a, b, out, at)
        if 0 <= x < n and 0 <= y < n:
            out[at + x], out[at + y] = items[a + y], items[a + x]
        return end
    if op == APPEND:
        return copied(items, c, d, out, copied(items, a, b, out, at))
    if op in (WITHOUT, COMMON):
        for place in range(a, b):
            if among(items, c, d, items[place]) == (op == COMMON):
                out[at] = items[place]
                at += 1
        return at
    if op == INTERLEAVE:
        for place in range(min(n, more)):
            out[at] = items[a + place]
            out[at + 1] = items[c + place]
            at += 2
        return at
    if op in (SUMS, GAPS, PRODUCTS, MAXIMA, MINIMA):
        for place in range(min(n, more)):
            one, other = np.int64(items[a + place]), np.int64(items[c + place])
            if op == SUMS:
                value = one + other
            elif op == GAPS:
                value = one - other
            elif op == PRODUCTS:
                value = one * other
            else:
                value = max(one, other) if op == MAXIMA else min(one, other)
            if abs(value) > LARGEST:
                return -2
            out[at + place] = value
        return at + min(n, more)
    if op == SINGLE:
        out[at] = x
        return at + 1
    if op == RANGE:
        if x > longest:
            return -2
        for place in range(x):
            out[at + place] = place
        return at + max(0, x)
    if op == REPLICATE:
        if y > longest:
            return -2
        for place in range(y):
            out[at + place] = x
        return at + max(0, y)
    if op == RANGE_FROM:
        size = abs(y - x) + 1
        if size > longest:
            return -2
        step = 1 if y >= x else -1
        for place in range(size):
            out[at + place] = x + step * place
        return at + size
    if op == DIGITS:
        value, size = abs(x), 1
        while value >= 10:
            value //= 10
            size += 1
        value = abs(x)
        for place in range(size):
            out[at + size - 1 - place] = value % 10
            value //= 10
        return at + size
    return -1


@njit(cache=True)
def list_to_scalar(op, items, a, b, c, d, x):
    """A number or truth value from the lists `items[a:b]`, `items[c:d]` and a number."""
    n = b - a
    if op == LENGTH:
        return n
    if op == TOTAL:
        value = np.int64(0)
        for place in range(a, b):
            value += items[place]
        return value if abs(value) <= LARGEST else NONE
    if op == PRODUCT:
        value = np.int64(1)
        for place in range(a, b):
            value *= items[place]
            if abs(value) > LARGEST:
                return NONE
        return value
    if op in (BIGGEST, SMALLEST, HEAD, LAST, MOST_COMMON):
        if n == 0:
            return NONE
        if op == HEAD:
            return np.int64(items[a])
        if op == LAST:
            return np.int64(items[b - 1])
        value, often = np.int64(items[a]), 0
        for place in range(a, b):
            here = np.int64(items[place])
            if op == BIGGEST:
                value = max(value, here)
            elif op == SMALLEST:
                value = min(value, here)
            else:
                times = 0
                for other in range(a, b):
                    times += items[other] == here
                if times > often:
                    value, often = here, times
        return value
    if op == AT:
        if x < -n or x >= n:
            return NONE
        return np.int64(items[a + x] if x >= 0 else items[b + x])
    if op == COUNT_ITEM:
        times = 0
        for place in range(a, b):
            times += items[place] == x
        return times
    if op == PLACE_OF:
        for place in range(a, b):
            if items[place] == x:
                return place - a
        return NONE
    if op == HAS_NO_ITEMS:
        return 1 if n == 0 else 0
    if op == IS_SORTED:
        for place in range(a + 1, b):
            if items[place] < items[place - 1]:
                return 0
        return 1
    if op == CONTAINS:
        return 1 if among(items, a, b, x) else 0
    if op == SAME_LIST:
        if n != d - c:
            return 0
        for place in range(n):
            if items[a + place] != items[c + place]:
                return 0
        return 1
    return NONE


@njit(cache=True, inline="always")
def missing(items, begin, end):
    """Whether a list in the arena stands for "no answer"."""
    return end - begin == 1 and items[begin] == NONE


@njit(cache=True)
def list_pass(
    op, items, offsets, lists, numbers, ranges, mirrored, longest, keys, table, parents, scratch, state, goal
):
    """All candidates that give lists; arguments are up to two lists and up to two numbers.

    Args:
        items, offsets: arena and the places in it, of the bank of lists; results are put at their ends.
        lists, numbers: how many list and number arguments the word has.
        ranges: `(4, 2)` ranges over the bank for each argument (lists first); unused ones are 0, 1.
        mirrored: begin the second list (or number) at the first.
        longest: items that one list may have.
        scratch: working space of at least `examples * (2 * longest + 2)` items.
    """
    width = offsets.shape[1] - 1
    count, end = state[COUNT_KEPT], state[ARENA_END]
    tried = 0
    bounds = np.empty(width + 1, np.int64)
    numbers_bank = numbers
    for i in range(ranges[0, 0], ranges[0, 1]):
        for j in range(ranges[1, 0], ranges[1, 1]):
            for k in range(ranges[2, 0], ranges[2, 1]):
                for m in range(k + 1 if mirrored else ranges[3, 0], ranges[3, 1]):
                    tried += 1
                    at, key, answers, good = 0, SEED, 0, True
                    for place in range(width):
                        bounds[place] = at
                        x = np.int64(numbers_bank[k, place])
                        y = np.int64(numbers_bank[m, place])
                        a, b = offsets[i, place], offsets[i, place + 1]
                        c, d = offsets[j, place], offsets[j, place + 1]
                        stop = -1
                        if not (
                            (lists > 0 and missing(items, a, b))
                            or (lists > 1 and missing(items, c, d))
                            or x == NONE
                            or y == NONE
                        ):
                            stop = list_to_list(op, items, a, b, c, d, x, y, scratch, at, longest)
                        if stop == -2 or stop - at > longest:
                            good = False
                            break
                        if stop == -1:
                            scratch[at] = NONE
                            stop = at + 1
                        else:
                            answers += 1
                        key = mixed(key, stop - at)
                        for spot in range(at, stop):
                            key = mixed(key, scratch[spot])
                        at = stop
                    if not good or answers * 2 < width:
                        continue
                    bounds[width] = at
                    if count >= keys.shape[0] or end + at > items.shape[0]:
                        if key == goal:
                            state[HIT_FIRST], state[HIT_SECOND] = i, j
                            state[HIT_THIRD], state[HIT_FOURTH] = k, m
                        continue
                    slot = slot_of(key, keys, table)
                    if table[slot] != 0:
                        continue
                    for spot in range(at):
                        items[end + spot] = scratch[spot]
                    for place in range(width + 1):
                        offsets[count, place] = end + bounds[place]
                    end += at
                    keys[count] = key
                    parents[count, 0] = op
                    parents[count, 1], parents[count, 2] = i, j
                    parents[count, 3], parents[count, 4] = k, m
                    count += 1
                    table[slot] = count
    state[COUNT_KEPT], state[ARENA_END] = count, end
    state[TRIED] += tried


@njit(cache=True)
def measure_pass(op, items, offsets, lists, bank, ranges, kept, keys, table, parents, state, goal):
    """All candidates that give a number or truth value from up to two lists and one number."""
    width, count = offsets.shape[1] - 1, state[COUNT_KEPT]
    tried = 0
    row = np.empty(width, np.int32)
    for i in range(ranges[0, 0], ranges[0, 1]):
        for j in range(ranges[1, 0], ranges[1, 1]):
            for k in range(ranges[2, 0], ranges[2, 1]):
                tried += 1
                key, answers = SEED, 0
                for place in range(width):
                    a, b = offsets[i, place], offsets[i, place + 1]
                    c, d = offsets[j, place], offsets[j, place + 1]
                    x = np.int64(bank[k, place])
                    value = np.int64(NONE)
                    if not (missing(items, a, b) or (lists > 1 and missing(items, c, d)) or x == NONE):
                        value = list_to_scalar(op, items, a, b, c, d, x)
                    row[place] = value
                    key = mixed(key, value)
                    answers += value != NONE
                if answers * 2 < width:
                    continue
                if count >= kept.shape[0]:
                    if key == goal:
                        state[HIT_FIRST], state[HIT_SECOND], state[HIT_THIRD] = i, j, k
                    continue
                slot = slot_of(key, keys, table)
                if table[slot] != 0:
                    continue
                for place in range(width):
                    kept[count, place] = row[place]
                keys[count] = key
                parents[count, 0] = op
                parents[count, 1], parents[count, 2], parents[count, 3] = i, j, k
                count += 1
                table[slot] = count
    state[COUNT_KEPT] = count
    state[TRIED] += tried


@njit(cache=True)
def stable_sorted(out, marks, begin, end):
    """A part sorted by its marks, equal ones in their order."""
    for place in range(begin + 1, end):
        value, mark, at = out[place], marks[place], place
        while at > begin and marks[at - 1] > mark:
            out[at], marks[at] = out[at - 1], marks[at - 1]
            at -= 1
        out[at], marks[at] = value, mark


@njit(cache=True)
def function_to_list(op, tables, f, base, lowest, places, items, a, b, out, marks, at):
    """`map`, `filter` … of one list with a tabulated function; -1 when there is no answer."""
    begin = at
    for place in range(a, b):
        value = items[place]
        if value < lowest or value - lowest >= places.shape[0] or places[value - lowest] < 0:
            return -1
        image = tables[f, base + places[value - lowest]]
        if image == NONE:
            return -1
        if op == MAP:
            out[at] = image
            at += 1
        elif op == FILTER:
            if image == 1:
                out[at] = value
                at += 1
        elif op == TAKE_WHILE:
            if image == 0:
                return at
            out[at] = value
            at += 1
        elif op == DROP_WHILE:
            if image == 0 or at > begin:
                out[at] = value
                at += 1
        else:
            out[at], marks[at] = value, image
            at += 1
    if op == SORT_BY:
        stable_sorted(out, marks, begin, at)
    return at


@njit(cache=True)
def function_to_scalar(op, tables, f, base, lowest, places, items, a, b):
    """`count`, `any` … of one list with a tabulated function."""
    best, chosen, times = 0, NONE, 0
    for place in range(a, b):
        value = items[place]
        if value < lowest or value - lowest >= places.shape[0] or places[value - lowest] < 0:
            return NONE
        image = tables[f, base + places[value - lowest]]
        if image == NONE:
            return NONE
        if op in (MAX_BY, MIN_BY):
            if chosen == NONE or (image > best if op == MAX_BY else image < best):
                best, chosen = image, value
        elif image == 1:
            times += 1
            if op == FIND_FIRST:
                return value
    if op == COUNT:
        return times
    if op == ANY:
        return 1 if times > 0 else 0
    if op == ALL:
        return 1 if times == b - a else 0
    return chosen


@njit(cache=True)
def function_list_pass(
    op, tables, first, last, lowest, places, size, items, offsets, begin, stop,
    keys, table, parents, scratch, marks, state, goal,
):  # fmt: skip
    """All candidates `op(function, list)` that give lists.

    Args:
        tables: one row per function: for each example its values on `size` arguments.
        first, last: range of functions.
        lowest, places: `places[value - lowest]` is the column of an argument, -1 when it is not tabulated.
        begin, stop: range of lists.
        marks: working space as long as `scratch`.
    """
    width = offsets.shape[1] - 1
    count, end = state[COUNT_KEPT], state[ARENA_END]
    bounds = np.empty(width + 1, np.int64)
    tried = 0
    for i in range(begin, stop):
        for f in range(first, last):
            tried += 1
            at, key, answers = 0, SEED, 0
            for place in range(width):
                bounds[place] = at
                a, b = offsets[i, place], offsets[i, place + 1]
                done = -1
                if not missing(items, a, b):
                    done = function_to_list(
                        op, tables, f, place * size, lowest, places, items, a, b, scratch, marks, at
                    )
                if done == -1:
                    scratch[at] = NONE
                    done = at + 1
                else:
                    answers += 1
                key = mixed(key, done - at)
                for spot in range(at, done):
                    key = mixed(key, scratch[spot])
                at = done
            bounds[width] = at
            if answers * 2 < width:
                continue
            if count >= keys.shape[0] or end + at > items.shape[0]:
                if key == goal:
                    state[HIT_FIRST], state[HIT_SECOND] = f, i
                continue
            slot = slot_of(key, keys, table)
            if table[slot] != 0:
                continue
            for spot in range(at):
                items[end + spot] = scratch[spot]
            for place in range(width + 1):
                offsets[count, place] = end + bounds[place]
            end += at
            keys[count] = key
            parents[count, 0], parents[count, 1], parents[count, 2] = op, f, i
            count += 1
            table[slot] = count
    state[COUNT_KEPT], state[ARENA_END] = count, end
    state[TRIED] += tried


@njit(cache=True)
def function_scalar_pass(
    op, tables, first, last, lowest, places, size, items, offsets, begin, stop,
    kept, keys, table, parents, state, goal,
):  # fmt: skip
    """All candidates `op(function, list)` that give a number or truth value."""
    width, count = offsets.shape[1] - 1, state[COUNT_KEPT]
    row = np.empty(width, np.int32)
    tried = 0
    for i in range(begin, stop):
        for f in range(first, last):
            tried += 1
            key, answers = SEED, 0
            for place in range(width):
                a, b = offsets[i, place], offsets[i, place + 1]
                value = NONE
                if not missing(items, a, b):
                    value = function_to_scalar(op, tables, f, place * size, lowest, places, items, a, b)
                row[place] = value
                key = mixed(key, value)
                answers += value != NONE
            if answers * 2 < width:
                continue
            if count >= kept.shape[0]:
                if key == goal:
                    state[HIT_FIRST], state[HIT_SECOND] = f, i
                continue
            slot = slot_of(key, keys, table)
            if table[slot] != 0:
                continue
            for place in range(width):
                kept[count, place] = row[place]
            keys[count] = key
            parents[count, 0], parents[count, 1], parents[count, 2] = op, f, i
            count += 1
            table[slot] = count
    state[COUNT_KEPT] = count
    state[TRIED] += tried


@njit(cache=True)
def list_matches(items, offsets, begin, stop, wanted, bounds):
    """For each column of lists a number whose bits say on which examples it is the wanted one."""
    width = offsets.shape[1] - 1
    masks = np.zeros(max(0, stop - begin), np.int64)
    for entry in range(begin, stop):
        mask = np.int64(0)
        for place in range(width):
            a, b = offsets[entry, place], offsets[entry, place + 1]
            c, d = bounds[place], bounds[place + 1]
            same = b - a == d - c
            if same:
                for at in range(b - a):
                    if items[a + at] != wanted[c + at]:
                        same = False
                        break
            if same:
                mask |= np.int64(1) << np.int64(place)
        masks[entry - begin] = mask
    return masks


SAME_LENGTHS, KEPT, BEGINS, ENDS, PIECES = 1, 2, 4, 8, 16


@njit(cache=True)
def relations(items, offsets, begin, stop, wanted, bounds):
    """For each column of lists how it can be related to the wanted one on all examples: bits of the constants.

    `SAME_LENGTHS` (the wanted one may be a `map` of it), `KEPT` (a subsequence), `BEGINS` and `ENDS` (it begins or
    ends the wanted one and is mostly not empty), `PIECES` (always the same number of items for each of it).
    """
    width = offsets.shape[1] - 1
    found = np.zeros(max(0, stop - begin), np.int64)
    for entry in range(begin, stop):
        bits, size, filled = SAME_LENGTHS | KEPT | BEGINS | ENDS | PIECES, 0, 0
        for place in range(width):
            a, b = offsets[entry, place], offsets[entry, place + 1]
            c, d = bounds[place], bounds[place + 1]
            n, more = b - a, d - c
            if missing(items, a, b):
                bits = 0
            filled += n > 0
            if n != more:
                bits &= ~SAME_LENGTHS
            if bits & KEPT:
                at = c
                for spot in range(a, b):
                    if at < d and items[spot] == wanted[at]:
                        at += 1
                if at < d:
                    bits &= ~KEPT
            if bits & (BEGINS | ENDS):
                if n > more:
                    bits &= ~(BEGINS | ENDS)
                else:
                    for spot in range(n):
                        if items[a + spot] != wanted[c + spot]:
                            bits &= ~BEGINS
                        if items[a + spot] != wanted[d - n + spot]:
                            bits &= ~ENDS
            if bits & PIECES and (n > 0 or more > 0):
                if n == 0 or more % n != 0 or more // n < 2 or (size != 0 and more // n != size):
                    bits &= ~PIECES
                else:
                    size = more // n
            if bits == 0:
                break
        if filled * 2 <= width:
            bits &= ~(BEGINS | ENDS)
        if size == 0:
            bits &= ~PIECES
        found[entry - begin] = bits
    return found
