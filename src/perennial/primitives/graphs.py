"""Words for graphs: nodes that carry values, and directed edges between their numbers.

A graph is a pair: a tuple of node values, and a tuple of edges `(from, to)` with node numbers from 0. Edges
to nodes that do not exist are ignored everywhere.

>>> road = graph(("a", "b", "c"), ((0, 1), (1, 2)))
>>> steps_from(road, 0), steps_from(road, 2)
((0, 1, 2), (-1, -1, 0))
"""

from __future__ import annotations

import heapq
from collections import deque

from perennial.errors import NoAnswer
from perennial.lang.ops import primitive
from perennial.lang.types import Bool, Grid, Int, List

MOST_CELLS = 4096


def _following(network: tuple) -> list[list[int]]:
    """For each node, where its edges lead, each target once, in order."""
    labels, edges = network
    targets: list[dict[int, None]] = [{} for _ in labels]
    for start, end in edges:
        if 0 <= start < len(labels) and 0 <= end < len(labels):
            targets[start][end] = None
    return [list(found) for found in targets]


def _checked(network: tuple, node: int) -> int:
    if not 0 <= node < len(network[0]):
        raise NoAnswer(f"The graph has no node {node}.")
    return node


@primitive
def graph(labels: List[a], edges: List[Pair[Int, Int]]) -> Graph[a]:
    """A graph of nodes with these values and directed edges between their numbers, counted from 0."""
    return (tuple(labels), tuple(tuple(edge) for edge in edges))


@primitive
def labels(network: Graph[a]) -> List[a]:
    """The values of the nodes in order."""
    return tuple(network[0])


@primitive
def edges(network: Graph[a]) -> List[Pair[Int, Int]]:
    """The edges as pairs of node numbers."""
    return tuple(network[1])


@primitive
def successors(network: Graph[a], node: Int) -> List[Int]:
    """The nodes that edges from a node lead to, each once."""
    return tuple(_following(network)[_checked(network, node)])


@primitive
def degrees(network: Graph[a]) -> List[Int]:
    """For each node, to how many different nodes its edges lead."""
    return tuple(map(len, _following(network)))


@primitive
def reversed_edges(network: Graph[a]) -> Graph[a]:
    """The graph with every edge turned round."""
    return (network[0], tuple((end, start) for start, end in network[1]))


@primitive
def both_ways(network: Graph[a]) -> Graph[a]:
    """The graph with every edge in both directions, each once."""
    both = dict.fromkeys(pair for start, end in network[1] for pair in ((start, end), (end, start)))
    return (network[0], tuple(both))


@primitive
def steps_from(network: Graph[a], node: Int) -> List[Int]:
    """For each node, the fewest edges on a way from a node to it; -1 when there is no way."""
    following = _following(network)
    steps = [-1] * len(following)
    steps[_checked(network, node)] = 0
    waiting = deque([node])
    while waiting:
        here = waiting.popleft()
        for there in following[here]:
            if steps[there] < 0:
                steps[there] = steps[here] + 1
                waiting.append(there)
    return tuple(steps)


@primitive
def cheapest_from(network: Graph[Int], node: Int) -> List[Int]:
    """For each node, the least sum of values entered on a way to it; -1 without a way (Dijkstra 1959).

    Negative values count as 0.
    """
    following, prices = _following(network), network[0]
    best = [-1] * len(following)
    waiting = [(0, _checked(network, node))]
    while waiting:
        cost, here = heapq.heappop(waiting)
        if best[here] >= 0:
            continue
        best[here] = cost
        for there in following[here]:
            if best[there] < 0:
                heapq.heappush(waiting, (cost + max(0, prices[there]), there))
    return tuple(best)


@primitive
def leads_to(network: Graph[a], start: Int, end: Int) -> Bool:
    """Whether there is a way from one node to another; every node leads to itself."""
    return steps_from(network, _checked(network, start))[_checked(network, end)] >= 0


@primitive
def connected_parts(network: Graph[a]) -> List[List[Int]]:
    """The nodes that edges connect, whatever their direction, part by part, in order."""
    following = _following(both_ways(network))
    seen, parts = set(), []
    for start in range(len(following)):
        if start in seen:
            continue
        part, waiting = {start}, [start]
        while waiting:
            for there in following[waiting.pop()]:
                if there not in part:
                    part.add(there)
                    waiting.append(there)
        seen |= part
        parts.append(tuple(sorted(part)))
    return tuple(parts)


@primitive
def topological_order(network: Graph[a]) -> List[Int]:
    """The nodes so that every edge leads forward, lower numbers first (Kahn 1962); none with a circle."""
    following = _following(network)
    entering = [0] * len(following)
    for targets in following:
        for there in targets:
            entering[there] += 1
    ready = [node for node, number in enumerate(entering) if number == 0]
    order = []
    while ready:
        here = heapq.heappop(ready)
        order.append(here)
        for there in following[here]:
            entering[there] -= 1
            if entering[there] == 0:
                heapq.heappush(ready, there)
    if len(order) < len(following):
        raise NoAnswer("The graph has a circle.")
    return tuple(order)


@primitive
def has_circle(network: Graph[a]) -> Bool:
    """Whether some way leads from a node back to it."""
    try:
        topological_order(network)
    except NoAnswer:
        return True
    return False


@primitive
def spanning_edges(network: Graph[a]) -> List[Pair[Int, Int]]:
    """The first edges, in order, that connect all that is connected, without a circle (Kruskal 1956)."""
    group = list(range(len(network[0])))

    def root(node: int) -> int:
        while group[node] != node:
            group[node] = group[group[node]]
            node = group[node]
        return node

    kept = []
    for start, end in network[1]:
        if 0 <= start < len(group) and 0 <= end < len(group) and root(start) != root(end):
            group[root(start)] = root(end)
            kept.append((start, end))
    return tuple(kept)


@primitive
def map_nodes(function: "a -> b", network: Graph[a]) -> Graph[b]:
    """The graph with the function applied to the value of every node."""
    return (tuple(function(label) for label in network[0]), network[1])


@primitive
def convolve_nodes(function: "(a, List[a]) -> b", network: Graph[a]) -> Graph[b]:
    """Every node takes the function of its value and the values of the nodes its edges lead to."""
    following = _following(network)
    values = network[0]
    found = [
        function(values[node], tuple(values[there] for there in targets))
        for node, targets in enumerate(following)
    ]
    return (tuple(found), network[1])


@primitive
def grid_graph(grid: Grid) -> Graph[Int]:
    """A node for every cell in reading order, with edges to its 4 neighbours; at most 4096 cells."""
    high, wide = len(grid), len(grid[0]) if grid else 0
    if high * wide > MOST_CELLS:
        raise NoAnswer(f"The grid has {high * wide} cells, more than {MOST_CELLS}.")
    links = []
    for row in range(high):
        for column in range(wide):
            for down, right in ((-1, 0), (0, -1), (0, 1), (1, 0)):
                if 0 <= row + down < high and 0 <= column + right < wide:
                    links.append((row * wide + column, (row + down) * wide + column + right))
    return (tuple(cell for line in grid for cell in line), tuple(links))


@primitive
def graph_grid(network: Graph[Int], columns: Int) -> Grid:
    """The values of the nodes as a grid with so many columns, in reading order."""
    values = network[0]
    if columns < 1 or not values or len(values) % columns:
        raise NoAnswer(f"{len(values)} nodes do not fill rows of {columns}.")
    return tuple(tuple(values[start : start + columns]) for start in range(0, len(values), columns))
