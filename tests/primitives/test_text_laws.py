"""Laws of the words for text, numbers in text, dates and graphs, against definitions written out."""

import datetime
import itertools
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.errors import NoAnswer
from perennial.primitives import vocabulary
from perennial.primitives.text import LONGEST_TEXT, edit_distance

WORD = vocabulary()
TEXTS = st.text(alphabet="ab-1 ", max_size=10)
PARTS = st.sampled_from(["a", "-", "ab", "--", "1 "])


@given(TEXTS, PARTS)
@settings(max_examples=60)
def test_a_text_is_cut_where_something_occurs(text, what):
    if what not in text:
        return
    first, last = text.partition(what), text.rpartition(what)
    assert (WORD["before"](text, what), WORD["after"](text, what)) == first[::2]
    assert (WORD["before_last"](text, what), WORD["after_last"](text, what)) == last[::2]
    assert WORD["replace_first"](text, what, "+") == "+".join(first[::2])
    assert WORD["replace_last"](text, what, "+") == "+".join(last[::2])
    parts = WORD["split"](text, what)
    assert WORD["joined"](parts, what) == text
    assert [WORD["field"](text, what, place) for place in range(len(parts))] == list(parts)
    assert WORD["count_of"](text, what) == len(parts) - 1
    assert WORD["remove"](text, what) == "".join(parts) == WORD["replace"](text, what, "")


@given(TEXTS, st.integers(0, 12))
@settings(max_examples=40)
def test_a_text_cut_at_a_position_is_the_text_again(text, number):
    assert WORD["concat"](WORD["left"](text, number), WORD["part"](text, number, len(text))) == text
    if number:
        assert WORD["left"](text, -number) == text[: max(0, len(text) - number)]
        assert WORD["concat"](WORD["left"](text, -number), WORD["right"](text, number)) == text
    assert "".join(WORD["characters"](text)) == text == WORD["reversed_text"](WORD["reversed_text"](text))


KINDS = {"digits": str.isdigit, "letters": str.isalpha, "spaces": str.isspace}


@given(TEXTS, st.sampled_from(sorted(KINDS)), st.sampled_from(sorted(KINDS)))
@settings(max_examples=80)
def test_a_border_lies_between_two_characters_of_these_kinds(text, before, after):
    def is_kind(place, kind):
        return 0 <= place < len(text) and KINDS[kind](text[place])

    ends = [p for p in range(1, len(text) + 1) if is_kind(p - 1, before) and not is_kind(p, before)]
    starts = [p for p in range(len(text)) if is_kind(p, after) and not is_kind(p - 1, after)]
    both = [place for place in ends if place in starts]
    for place, expected in enumerate(both):
        assert WORD["border"](text, before, after, place) == expected
    with pytest.raises(NoAnswer):
        WORD["border"](text, before, after, len(both))
    if ends:
        assert WORD["border"](text, before, "", -1) == ends[-1]
    if starts:
        assert WORD["border"](text, "", after, 0) == starts[0]


def test_without_any_kind_every_position_is_a_border():
    assert [WORD["border"]("ab", "", "", place) for place in range(3)] == [0, 1, 2]


@given(TEXTS, st.sampled_from(sorted(KINDS)))
@settings(max_examples=40)
def test_a_kind_of_characters_is_kept_or_dropped(text, kind):
    kept = "".join(filter(KINDS[kind], text))
    assert WORD["keep"](text, kind) == kept
    assert WORD["drop_kind"](text, kind) == "".join(c for c in text if not KINDS[kind](c))
    assert WORD["has_kind"](text, kind) == bool(kept)
    assert WORD["is_kind"](text, kind) == (kept == text != "")
    runs = ["".join(group) for own, group in itertools.groupby(text, KINDS[kind]) if own]
    assert list(WORD["all_tokens"](text, kind)) == runs
    assert [WORD["token"](text, kind, place) for place in range(-len(runs), 0)] == runs


@cache
def distance(one, other):
    """Levenshtein's recursion as it stands in the textbook."""
    if not one or not other:
        return len(one) + len(other)
    changed = distance(one[:-1], other[:-1]) + (one[-1] != other[-1])
    return min(changed, distance(one[:-1], other) + 1, distance(one, other[:-1]) + 1)


@given(st.lists(st.text(alphabet="abc", max_size=6), min_size=2, max_size=5))
@settings(max_examples=40)
def test_the_nearest_text_is_the_first_that_the_fewest_edits_reach(texts):
    text, *options = texts
    assert [edit_distance(text, option) for option in options] == [distance(text, each) for each in options]
    fewest = min(distance(text, option) for option in options)
    expected = next(option for option in options if distance(text, option) == fewest)
    assert WORD["nearest"](text, tuple(options)) == expected


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("token", ("a", "no kind", 0)),
        ("character", ("abc", 3)),
        ("field", ("abc", ",", 0)),
        ("field", ("abc", "", 0)),
        ("between", ("f(x", "(", ")")),
        ("concat", ("a" * LONGEST_TEXT, "b")),
        ("repeat_text", ("ab", LONGEST_TEXT)),
        ("pad_left", ("a", 3, "--")),
        ("pad_right", ("a", LONGEST_TEXT + 1, "-")),
        ("replace", ("a", "", "b")),
        ("replace", ("a" * 200, "a", "b" * 200)),
        ("replace_first", ("a" * LONGEST_TEXT, "a", "bb")),
        ("lookup", ("c", (("a", "b"),))),
        ("nearest", ("a", ())),
        ("nearest", ("a" * 501, ("a",))),
        ("whole_number", ("1.5",)),
        ("real_number", ("1e5",)),
        ("written", (10**40,)),
        ("number_as", (float("nan"), 2, "", ".")),
        ("number_as", (1.0, 16, "", ".")),
        ("percent", (float("inf"), 1)),
        ("percent", (0.5, -1)),
        ("code_of", ("ab",)),
        ("letter_of", (0xD800,)),
        ("letter_of", (-1,)),
        ("date_as", ("9 Foo 2026", "%d %b %Y", "%Y")),
        ("date_as", ("2026-03", "no codes", "%Y")),
        ("date_as", ("2026 2026", "%Y %Y", "%Y")),
        ("days_between", ("2026-02-30", "2026-03-01", "%Y-%m-%d")),
        ("later_by", ("2026-02-27", "%Y-%m-%d", 4_000_001)),
        ("later_by", ("9999-12-31", "%Y-%m-%d", 1)),
        ("days_in_month", ("27.02.2026", "%Y-%m-%d")),
    ],
)
def test_what_cannot_be_read_or_written_has_no_answer(name, arguments):
    with pytest.raises(NoAnswer):
        WORD[name](*arguments)


def test_what_is_empty_changes_nothing():
    assert WORD["split"]("abc", "") == ("abc",)
    assert WORD["remove"]("abc", "") == "abc" == WORD["strip_of"]("abc", "")
    assert WORD["count_of"]("abc", "") == 0
    assert WORD["repeat_text"]("", 10**9) == "" == WORD["right"]("abc", 0)


@given(st.integers(-(10**10), 10**10), st.integers(0, 4))
@settings(max_examples=60)
def test_a_number_is_written_with_the_decimals_of_decimal_arithmetic(eighths, decimals):
    number = eighths / 8 + 0.125
    rounded = Decimal(number).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
    shown = WORD["number_as"](number, decimals, "'", ",")
    assert Decimal(shown.replace("'", "").replace(",", ".")) == rounded
    groups = shown.lstrip("-").partition(",")[0].split("'")
    assert all(len(group) == 3 for group in groups[1:]) and 1 <= len(groups[0]) <= 3
    assert WORD["real_number"](WORD["number_as"](number, decimals, ",", ".")) == float(rounded)
    assert WORD["percent"](number / 64, 1) == f"{(Decimal(number) / 64 * 100).quantize(Decimal('0.1'))}%"


@given(st.integers(-(10**39), 10**39), st.integers(0, 0xD7FF))
def test_numbers_and_letters_are_read_back(number, code):
    assert WORD["whole_number"](f" {WORD['written'](number)}\t") == number
    assert WORD["code_of"](WORD["letter_of"](code)) == code


@given(st.dates(datetime.date(1, 1, 2), datetime.date(9990, 1, 1)), st.integers(-300, 300))
@settings(max_examples=60)
def test_days_are_counted_by_the_calendar(day, days):
    text, form = day.isoformat(), "%Y-%m-%d"
    if day.toordinal() + days < 1:
        return
    later = WORD["later_by"](text, form, days)
    assert later == (day + datetime.timedelta(days)).isoformat()
    assert WORD["days_between"](text, later, form) == days
    assert WORD["is_date"](later, form) and not WORD["is_date"](later, "%d.%m.%Y")
    following = day.replace(day=28) + datetime.timedelta(4)
    assert WORD["days_in_month"](text, form) == (following - datetime.timedelta(following.day)).day
    assert WORD["date_as"](text, form, "%e/%n q%q") == f"{day.day}/{day.month} q{-(-day.month // 3)}"


# --- graphs ---

GRAPHS = st.tuples(
    st.lists(st.integers(0, 3), min_size=1, max_size=6).map(tuple),
    st.lists(st.tuples(st.integers(-1, 6), st.integers(-1, 6)), max_size=12).map(tuple),
)


def reachable(network):
    """Which node leads to which, by squaring the relation (Warshall 1962)."""
    nodes = range(len(network[0]))
    known = {(a, a) for a in nodes} | {(a, b) for a, b in network[1] if a in nodes and b in nodes}
    for middle, start, end in itertools.product(nodes, nodes, nodes):
        if (start, middle) in known and (middle, end) in known:
            known.add((start, end))
    return known


@given(GRAPHS)
@settings(max_examples=60)
def test_ways_orders_and_circles_are_those_of_the_closure(network):
    nodes = range(len(network[0]))
    inside = [(a, b) for a, b in network[1] if a in nodes and b in nodes]
    known = reachable(network)
    for start, end in itertools.product(nodes, nodes):
        assert WORD["leads_to"](network, start, end) == ((start, end) in known)
    circle = any(a == b or (b, a) in known for a, b in inside)
    assert WORD["has_circle"](network) == circle
    if not circle:
        order = WORD["topological_order"](network)
        assert sorted(order) == list(nodes)
        assert all(order.index(a) < order.index(b) for a, b in inside)
        fitting = (
            p for p in itertools.permutations(nodes) if all(p.index(a) < p.index(b) for a, b in inside)
        )
        assert order == next(fitting)


@given(GRAPHS)
@settings(max_examples=60)
def test_spanning_edges_connect_what_is_connected_with_as_few_as_can_be(network):
    kept = WORD["spanning_edges"](network)
    parts = WORD["connected_parts"](network)
    assert WORD["connected_parts"]((network[0], kept)) == parts
    assert len(kept) == len(network[0]) - len(parts)
    both = WORD["both_ways"](network)
    assert set(both[1]) == set(network[1]) | set(WORD["reversed_edges"](network)[1])
    assert WORD["both_ways"](both) == both
    assert all({(a, b) for a, b in itertools.product(part, part)} <= reachable(both) for part in parts)


def test_a_grid_with_too_many_cells_is_no_graph():
    with pytest.raises(NoAnswer, match="more than 4096"):
        WORD["grid_graph"](((0,) * 100,) * 41)
    with pytest.raises(NoAnswer, match="do not fill"):
        WORD["graph_grid"](((1, 2, 3), ()), 2)


@pytest.mark.parametrize(("before", "after"), [("digits", ""), ("", "digits"), ("letters", "digits")])
def test_a_kind_that_does_not_occur_has_no_border(before, after):
    with pytest.raises(NoAnswer, match="no border"):
        WORD["border"]("abc", before, after, 0)


def test_an_unknown_kind_is_told():
    with pytest.raises(NoAnswer, match="kind"):
        WORD["drop_kind"]("abc", "runes")
