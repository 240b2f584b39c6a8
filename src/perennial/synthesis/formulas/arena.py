"""Which one or two of very many columns explain a target, beside a few that are always there?

Least squares against all columns at once, and against all pairs of the simplest (exhaustive subset selection;
Furnival and Wilson 1974). The columns that are always there, the base, are projected out first
(Frisch and Waugh 1933), so one correlation a column, and one formula a pair, tells the error that is left:

    1 - R²(i, j) = 1 - (cᵢ² + cⱼ² - 2·cᵢ·cⱼ·gᵢⱼ) / (1 - gᵢⱼ²)
"""

from __future__ import annotations

import sys
from functools import cache

import numpy as np

SMALLEST_REST = 1e-9  # a column this close to the base tells nothing new, relative to its size
LEAST_ANGLE = 1e-12
SINGLE_ANGLE = 1e-4  # 1 - g² of a pair that is told apart with single precision
LOOK_AGAIN = 8
BLOCK = 50_000  # cosines at once, so that they stay in the cache
WORTH_COMPILING = 40_000_000  # cosines, about as long as numba takes to load


class Arena:
    """Columns to choose from and a base that is always used.

    Args:
        columns: `(n, rows)`; simplest first.
        base: `(b, rows)`, usually with a row of ones.
        paired: how many of the first columns are partners for all others in pairs.
    """

    def __init__(self, columns: np.ndarray, base: np.ndarray, paired: int = 0) -> None:
        self._frame = _orthonormal(base)
        with np.errstate(all="ignore"):
            rest = columns - (columns @ self._frame.T) @ self._frame
            norms = np.linalg.norm(rest, axis=1)
            sizes = np.linalg.norm(columns, axis=1)
            self.places = np.flatnonzero((norms > SMALLEST_REST * sizes) & np.isfinite(norms))
        self._rest = rest[self.places] / norms[self.places, None]
        self._partners = _first_of_each(self._rest, paired)
        half = self._rest.astype(np.float32)  # the shares are computed again with all digits for the best
        self._gram = half @ half[self._partners].T
        self._scanned = 0

    def rest(self, target: np.ndarray) -> tuple[np.ndarray, float]:
        """What the base leaves of a target, as a unit vector, and how long it is relative to the target."""
        left = target - (target @ self._frame.T) @ self._frame
        norm = float(np.linalg.norm(left))
        return left / norm if norm else left, norm / (float(np.linalg.norm(target)) or 1.0)

    def singles(self, target: np.ndarray, count: int) -> list[tuple[float, tuple[int, ...]]]:
        """The best single columns: `(unexplained share, (place,))`, best first."""
        if not len(self.places):
            return []
        with np.errstate(all="ignore"):
            left = 1.0 - (self._rest @ target) ** 2
        best = _smallest(left, count)
        return [(max(0.0, float(left[place])), (int(self.places[place]),)) for place in best]

    def pairs(self, target: np.ndarray, count: int) -> list[tuple[float, tuple[int, ...]]]:
        """The best pairs of any column with one of the simplest; at most one for each column."""
        if len(self._partners) < 2:
            return []
        correlation = self._rest @ target
        self._scanned += self._gram.size
        kernel = _compiled() if self._scanned > WORTH_COMPILING or "numba" in sys.modules else best_partners
        shares, partner = kernel(self._gram, correlation, correlation[self._partners])
        found = {}
        for place in _smallest(shares, LOOK_AGAIN * count):
            if np.isfinite(shares[place]):
                pair = tuple(sorted((int(place), int(self._partners[partner[place]]))))
                found[pair] = self._share(pair, correlation)
        best = sorted((share, pair) for pair, share in found.items())[:count]
        return [(share, tuple(int(self.places[place]) for place in pair)) for share, pair in best]

    def _share(self, pair: tuple[int, int], correlation: np.ndarray) -> float:
        cosine = float(self._rest[pair[0]] @ self._rest[pair[1]])
        one, other = correlation[pair[0]], correlation[pair[1]]
        angle = max(1.0 - cosine * cosine, LEAST_ANGLE)
        return max(0.0, 1.0 - float(one * one + other * other - 2.0 * one * other * cosine) / angle)


def _orthonormal(base: np.ndarray) -> np.ndarray:
    unit = base / np.linalg.norm(base, axis=1, keepdims=True)
    _, sizes, right = np.linalg.svd(unit, full_matrices=False)
    return right[sizes > 1e-10 * sizes[0]]


def _smallest(numbers: np.ndarray, count: int) -> np.ndarray:
    count = min(count, len(numbers))
    if not count:
        return np.zeros(0, int)
    chosen = np.argpartition(numbers, count - 1)[:count]
    return chosen[np.argsort(numbers[chosen], kind="stable")]


def _first_of_each(rest: np.ndarray, wanted: int) -> np.ndarray:
    """The first columns that are no multiples of one another."""
    if not wanted or not len(rest):
        return np.zeros(0, int)
    direction = np.random.default_rng(4).standard_normal((rest.shape[1], 2))
    pool = rest[: 4 * wanted] @ direction
    pool = np.rint(pool * np.sign(pool[:, :1]) * 1e8).astype(np.int64)
    _, first = np.unique(pool, axis=0, return_index=True)
    return np.sort(first)[:wanted]


# -- the pair kernel ---------------------------------------------------------------------------------------------------


@cache
def _compiled():
    """The compiled kernel where numba is there, else the same in NumPy; numba takes seconds to load."""
    try:
        import numba
    except ImportError:
        return best_partners
    return numba.njit(cache=True)(_best_partners_loop)


def best_partners(gram: np.ndarray, own: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each column the least unexplained share in a pair with a partner, and that partner.

    Args:
        gram: `(n, k)`, the cosines between columns and partners.
        own: `(n,)`, the cosines between columns and target.
        other: `(k,)`, the cosines between partners and target.

    Returns:
        tuple: `(n,)` shares and `(n,)` places among the partners.
    """
    shares, partner = np.full(len(own), np.inf), np.zeros(len(own), dtype=np.int64)
    width = max(1, BLOCK // max(1, len(other)))
    for begin in range(0, len(own), width):
        cosine = gram[begin : begin + width].astype(np.float64)
        mine = own[begin : begin + width, None]
        angle = 1.0 - cosine * cosine
        explained = mine * mine + other * other - 2.0 * mine * other * cosine
        left = np.where(angle >= SINGLE_ANGLE, 1.0 - explained / np.maximum(angle, SINGLE_ANGLE), np.inf)
        best = left.argmin(axis=1)
        partner[begin : begin + width] = best
        shares[begin : begin + width] = left[np.arange(len(best)), best]
    return shares, partner


def _best_partners_loop(gram, own, other):
    shares, partner = np.full(len(own), np.inf), np.zeros(len(own), dtype=np.int64)
    for i in range(len(own)):
        mine = own[i]
        least, place = np.inf, 0
        for j in range(len(other)):
            cosine, yours = np.float64(gram[i, j]), other[j]
            angle = 1.0 - cosine * cosine
            if angle >= SINGLE_ANGLE:
                left = 1.0 - (mine * mine + yours * yours - 2.0 * mine * yours * cosine) / angle
                if left < least:
                    least, place = left, j
        shares[i] = least
        partner[i] = place
    return shares, partner
