"""How many genotypes a space holds, exactly."""

from __future__ import annotations

import math

from perennial.spaces.decision import count_of, values_of
from perennial.spaces.structure import Site, Structure


def count(structure: Structure) -> int | float:
    """The number of genotypes; infinite when a real is open or a choice contains itself.

    Decisions that share no label multiply, the options of one add up. Where a label stands in several places
    the decision is fixed first and the rest counted for each of its values.
    """
    if structure.is_grammar or any(count_of(choice) == math.inf for choice in structure.choices):
        return math.inf
    return _Counting(structure).product(structure.roots)


class _Counting:
    def __init__(self, structure: Structure) -> None:
        self._structure = structure
        self._labels: dict[Site, frozenset[str]] = {}
        self._known: dict[Site, int] = {}

    def product(self, sites: tuple[Site, ...], fixed: dict[str, object] | None = None) -> int:
        fixed = fixed or {}
        sites = self._opened(sites, fixed)
        total = 1
        for group in self._groups(sites):
            total *= self._group(group, fixed)
        return total

    def _opened(self, sites, fixed) -> tuple[Site, ...]:
        """Sites whose decision is fixed give way to what stands inside them."""
        found: dict[Site, None] = {}
        stack = list(reversed(sites))
        while stack:
            site = stack.pop()
            if site.label in fixed:
                stack.extend(reversed(self._structure.inside(site, fixed[site.label])))
            else:
                found[site] = None
        return tuple(found)

    def _group(self, group: tuple[Site, ...], fixed: dict[str, object]) -> int:
        first, rest = group[0], group[1:]
        if not rest and not fixed and first in self._known:
            return self._known[first]
        if not first.choice.options:
            total = count_of(first.choice) * self.product(rest, fixed | {first.label: first.choice.low})
        else:
            total = sum(
                self.product(group, fixed | {first.label: value}) for value in values_of_counted(first)
            )
        if not rest and not fixed:
            self._known[first] = total
        return total

    def _groups(self, sites: tuple[Site, ...]) -> list[tuple[Site, ...]]:
        """Sites that share a label, directly or through others, belong together."""
        groups: list[tuple[frozenset[str], tuple[Site, ...]]] = []
        for site in sites:
            labels, members = self._all_labels(site), (site,)
            for other in [each for each in groups if each[0] & labels]:
                groups.remove(other)
                labels, members = labels | other[0], other[1] + members
            groups.append((labels, members))
        return [members for _, members in groups]

    def _all_labels(self, site: Site) -> frozenset[str]:
        if site not in self._labels:
            choice = site.choice
            values = range(len(choice.options)) if choice.kind == "one_of" else (choice.high or 1,)
            inner = [
                self._all_labels(each) for value in values for each in self._structure.inside(site, value)
            ]
            self._labels[site] = frozenset((site.label,)).union(*inner)
        return self._labels[site]


def values_of_counted(site: Site):
    """The values that open different decisions below."""
    return (0, 1) if site.choice.kind == "optional" else values_of(site.choice)
