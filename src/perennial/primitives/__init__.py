"""All words of the language, shelf by shelf; `vocabulary()` lists them.

A new word is a module-level value in a file of this folder; it joins by existing.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import walk_packages

from perennial.errors import ProgramError
from perennial.lang.ops import Op, Vocabulary


@cache
def vocabulary() -> Vocabulary:
    """Every word that this folder defines.

    Raises:
        ProgramError: two of them have one name.

    >>> "lightgbm" in vocabulary() and "join" in vocabulary()
    True
    """
    words: dict[str, Op] = {}
    for module in walk_packages(__path__, f"{__name__}."):
        for value in vars(import_module(module.name)).values():
            if isinstance(value, Op) and words.setdefault(value.name, value) is not value:
                raise ProgramError(
                    f"Two words are called {value.name!r}.",
                    where=module.name,
                    todo="Rename one: text that is read back must mean one thing.",
                )
    return Vocabulary(*words.values())
