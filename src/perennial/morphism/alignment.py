"""Which layer of a child network was which layer of its parent: a tree edit distance over two programs.

Every pair of nodes gets the price of the cheapest way to read the one as an edited copy of the other (Zhang and
Shasha 1989, over graphs: a shared node is priced once for each pair). Edits that keep the function cost little,
others cost much, so the cheapest reading is one that keeps the function whenever there is such a reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from perennial.lang import Call, Lambda, Program
from perennial.morphism.traits import Trait, never_negative_nodes, trait_of

# what keeps the function costs so little that a whole network of it is cheaper than one step that does not
SMALL, CHANGED, NEW, LOST = 1e-4, 0.1, 1.0, 2.0
# of two equal readings the one that leaves more of the child exactly as it was
REREAD = 1e-7
STRANGER = 1e6
BESIDE = 0.02
# parameters that do not change what a trained layer computes
NOT_COMPUTING = frozenset({"branch", "rate"})
MIXING = frozenset({"linear", "separable"})


@dataclass(frozen=True)
class Alignment:
    """What the nodes of the child were.

    Args:
        same: child's node to the parent's node that it continues.
        inserted: child's nodes that stand between two continued ones.
        added: child's nodes that must be zero, since they join in where the parent had nothing.
        removed: parent's nodes that nothing continues on the way.
        price: of the whole reading.
    """

    same: Mapping[Program, Program]
    inserted: Mapping[Program, Program] = field(default_factory=dict)
    added: frozenset[Program] = frozenset()
    removed: tuple[Program, ...] = ()
    price: float = 0.0


def align(parent: Program, child: Program, widths: Mapping[Program, int]) -> Alignment:
    """The cheapest reading of the child as an edited copy of the parent.

    Args:
        parent, child: programs; a function's body is compared.
        widths: units of each node of both, for the nodes where they are known.
    """
    parent, child = (each.body if isinstance(each, Lambda) else each for each in (parent, child))
    readings = _Readings(parent, child, widths)
    return readings.extracted()


@dataclass(frozen=True)
class _Reading:
    """How one pair is read: `same`, `inserted` or `removed`; `pairs` are places of arguments that go together."""

    price: float
    kind: str
    pairs: tuple[tuple[int, int], ...] = ()


class _Readings:
    def __init__(self, parent: Program, child: Program, widths: Mapping[Program, int]) -> None:
        self._parent, self._child, self._widths = parent, child, widths
        self._positive = never_negative_nodes(child) | never_negative_nodes(parent)
        self._known: dict[tuple[Program, Program], _Reading] = {}
        mine, theirs = ordered_layers(child), ordered_layers(parent)
        for node in mine:
            for other in theirs:
                self._known[other, node] = self._read(other, node)

    def _price(self, parent: Program, child: Program) -> float:
        if parent is child:
            return 0.0
        known = self._known.get((parent, child))
        return STRANGER if known is None else known.price

    def _read(self, parent: Program, child: Program) -> _Reading:
        if parent is child:
            return _Reading(0.0, "same")
        options = [_Reading(STRANGER, "same")]
        mine, theirs = trait_of(child), trait_of(parent)
        if mine is not None and theirs is not None:
            options.append(self._continued(parent, child, mine, theirs))
        if mine is not None:
            options += self._inserted(parent, child, mine)
        if theirs is not None:
            options += self._removed(parent, child, theirs)
        return min(options, key=lambda reading: reading.price)

    def _continued(self, parent: Call, child: Call, mine: Trait, theirs: Trait) -> _Reading:
        own = _price_of_change(parent, child, mine, theirs) + self._price_of_fewer_inputs(parent, child, mine)
        if own >= STRANGER:
            return _Reading(STRANGER, "same")
        price, pairs = self._matched(parent.arguments, child.arguments, mine)
        return _Reading(own + price + REREAD, "same", pairs)

    def _price_of_fewer_inputs(self, parent: Call, child: Call, trait: Trait) -> float:
        """A kernel that gets fewer units than it had loses some of its weights."""
        if trait.kind not in ("linear", "separable", "head"):
            return 0.0
        before, after = (self._widths.get(each.arguments[0]) for each in (parent, child))
        return CHANGED if before is not None and after is not None and after < before else 0.0

    def _matched(self, theirs: tuple, mine: tuple, trait: Trait) -> tuple[float, tuple]:
        """Arguments that go together, in order; what is left over is new in the child or lost from the parent."""
        if not theirs or not mine:
            return 0.0, ()
        best: dict[tuple[int, int], tuple[tuple[float, ...], tuple]] = {(0, 0): ((), ())}
        for i in range(len(theirs) + 1):
            for j in range(len(mine) + 1):
                options = []
                if i and j:
                    prices, pairs = best[i - 1, j - 1]
                    options.append(
                        ((*prices, self._price(theirs[i - 1], mine[j - 1])), (*pairs, (i - 1, j - 1)))
                    )
                if j:
                    prices, pairs = best[i, j - 1]
                    options.append(((*prices, self._price_of_branch(mine[j - 1], trait)), pairs))
                if i:
                    prices, pairs = best[i - 1, j]
                    options.append(((*prices, LOST), pairs))
                if options:
                    best[i, j] = min(options, key=lambda option: _together(option[0]))
        prices, pairs = best[len(theirs), len(mine)]
        if not pairs:
            return self._price(theirs[0], mine[0]), ((0, 0),)
        return _together(prices), pairs

    def _price_of_branch(self, child: Program, trait: Trait) -> float:
        return 2 * SMALL if trait.kind == "join" or can_be_zero(child) else NEW

    def _inserted(self, parent: Program, child: Call, trait: Trait) -> list[_Reading]:
        own = self._price_of_insertion(parent, child, trait)
        found = []
        for place, argument in enumerate(child.arguments):
            beside = [
                self._price_of_branch(each, trait)
                for each in (*child.arguments[:place], *child.arguments[place + 1 :])
            ]
            price = _together((self._price(parent, argument), *beside))
            found.append(_Reading(own + price, "inserted", ((0, place),)))
        return found

    def _price_of_insertion(self, parent: Program, child: Call, trait: Trait) -> float:
        if trait.silent:
            return SMALL / 2
        if trait.kind in ("unitwise", "sum", "join"):
            return SMALL
        if trait.kind == "pointwise":
            return SMALL if trait.repeatable and parent in self._positive else NEW
        if trait.kind in MIXING:
            return 2 * SMALL if can_be_identity(child, self._widths) else LOST
        return LOST

    def _removed(self, parent: Call, child: Program, trait: Trait) -> list[_Reading]:
        silent = trait.silent or (trait.repeatable and parent.arguments[0] in self._positive)
        own = SMALL / 2 if silent else LOST if trait.kind in MIXING else NEW
        return [
            _Reading(own + self._price(argument, child), "removed", ((place, 0),))
            for place, argument in enumerate(parent.arguments)
        ]

    def extracted(self) -> Alignment:
        """Follows the cheapest reading from the outermost pair down; the first reading of a node stays."""
        same: dict[Program, Program] = {}
        inserted: dict[Program, Program] = {}
        removed: dict[Program, None] = {}
        branches: list[Program] = []
        waiting, seen = [(self._parent, self._child)], set()
        while waiting:
            pair = parent, child = waiting.pop(0)
            if pair in seen:
                continue
            seen.add(pair)
            reading = self._known.get(pair)
            if parent is child:
                same.setdefault(child, parent)
                waiting += [(each, each) for each in getattr(child, "arguments", ())]
            elif reading is None or reading.price >= STRANGER:
                branches.append(child)
            elif reading.kind == "removed":
                removed[parent] = None
                waiting.append((parent.arguments[reading.pairs[0][0]], child))
            else:
                places = {place for _, place in reading.pairs}
                branches += [each for place, each in enumerate(child.arguments) if place not in places]
                if reading.kind == "same":
                    if child not in inserted:
                        same.setdefault(child, parent)
                    waiting += [(parent.arguments[i], child.arguments[j]) for i, j in reading.pairs]
                else:
                    if child not in same:
                        inserted.setdefault(child, child.arguments[reading.pairs[0][1]])
                    waiting.append((parent, child.arguments[reading.pairs[0][1]]))
        added = frozenset(branch for branch in branches if branch not in same and branch not in inserted)
        gone = tuple(node for node in removed if node not in set(same.values()))
        price = self._price(self._parent, self._child)
        return Alignment(same, inserted, added, gone, price)


def can_be_zero(node: Program) -> bool:
    """Whether some choice of weights makes this value zero: a mixing or unitwise layer ends it."""
    trait = trait_of(node)
    if trait is None:
        return False
    if trait.kind in ("linear", "separable", "unitwise"):
        return True
    return trait.zero and bool(node.arguments) and all(can_be_zero(each) for each in node.arguments)


def can_be_identity(node: Call, widths: Mapping[Program, int]) -> bool:
    """Whether a mixing layer can hand every unit on: nothing is skipped, and no unit has to go."""
    settings = node.settings
    if settings.get("stride", 1) != 1 or settings.get("padding", "same") != "same":
        return False
    if settings.get("kernel", 1) % 2 == 0 or settings.get("groups", 1) != 1:
        return False
    before, after = widths.get(node.arguments[0]), widths.get(node)
    return before is not None and after is not None and after >= before


def _price_of_change(parent: Call, child: Call, mine: Trait, theirs: Trait) -> float:
    """Of calling the one word a continuation of the other, whatever their arguments."""
    if parent.function != child.function:
        if (theirs.kind, mine.kind) == ("separable", "linear"):
            return SMALL + _price_of_settings(parent, child, mine)
        alike = mine.kind == theirs.kind or {mine.kind, theirs.kind} <= MIXING
        return CHANGED if alike and mine.kind not in ("input", "head", "other") else STRANGER
    return 0.0 if mine.kind == "head" else _price_of_settings(parent, child, mine)


def _price_of_settings(parent: Call, child: Call, trait: Trait) -> float:
    before, after = parent.settings, child.settings
    price = 0.0
    for name in after.keys() & before.keys() - NOT_COMPUTING:
        if before[name] == after[name]:
            continue
        grows = name in (trait.width, "kernel") and after[name] > before[name]
        price += SMALL if grows else CHANGED
    return price


def _together(prices: tuple[float, ...]) -> float:
    """Of several arguments: they share most of what is below them, so the dearest counts and the others a little."""
    return 0.0 if not prices else max(prices) + BESIDE * (sum(prices) - max(prices))


def ordered_layers(program: Program) -> list[Program]:
    """Layer calls and what they stand on, arguments before those who take them."""
    found: dict[Program, None] = {}
    stack = [(program, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            found[node] = None
        elif node not in found:
            stack.append((node, True))
            if trait_of(node) is not None:
                stack.extend((each, False) for each in reversed(node.arguments))
    return list(found)
