"""Strategies: what to try next. `base.py` says what each must promise; `resolve` finds one by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from inspect import isabstract, isclass
from pkgutil import iter_modules

from perennial.errors import UsageError
from perennial.spaces.base import Space
from perennial.strategies.base import Strategy

__all__ = ["Strategy", "members", "resolve"]


def members() -> dict[str, type[Strategy]]:
    """Every strategy on this shelf by its short name; a new file joins by existing.

    >>> sorted(members())
    ['evolution', 'local', 'mixture', 'random', 'surrogate']
    """
    modules = [
        import_module(f"{__name__}.{module.name}")
        for module in iter_modules(__path__)
        if module.name != "base"
    ]
    found = [
        each for module in modules for each in vars(module).values() if isclass(each) and not isabstract(each)
    ]
    return {each.name: each for each in found if issubclass(each, Strategy)}


def resolve(
    strategy: str | Strategy | Callable[[Space, int], Strategy], space: Space, seed: int = 0
) -> Strategy:
    """The strategy for a short name, for a function of `(space, seed)`, or the object itself.

    Args:
        strategy: for instance `"evolution"`, `functools.partial(RegularizedEvolution, population=50)`.
        space: what to search.
        seed: of its draws.

    Raises:
        UsageError: no strategy has that name.

    >>> from perennial.spaces.base import one_of
    >>> resolve("random", Space(one_of("width", [32, 64]))).name
    'random'
    """
    if isinstance(strategy, Strategy):
        return strategy
    if callable(strategy):
        return strategy(space, seed)
    known = members()
    if strategy in known:
        return known[strategy](space, seed)
    close = difflib.get_close_matches(str(strategy), known, 1)
    raise UsageError(
        f"No strategy is called {strategy!r}; there are {', '.join(sorted(known))}.",
        todo=f"Did you mean {close[0]!r}?"
        if close
        else "Choose one of these, or give a function of (space, seed).",
    )
