"""perennial grows a model from data by the universal workflow of machine learning.

>>> import perennial as pn
>>> sorted(pn.__all__)[:3]
['Model', 'Program', 'Protocol']

The public names are loaded when first used, so that `import perennial` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perennial.lang import Program, Type, primitive
    from perennial.model import Model
    from perennial.protocol import Protocol
    from perennial.spaces import Space
    from perennial.strategies import Strategy
    from perennial.study import Study
    from perennial.task import Task
    from perennial.trainers import Trainer
    from perennial.workflow import grow

_HOMES = {
    "grow": "workflow",
    "Task": "task",
    "Protocol": "protocol",
    "Study": "study",
    "Model": "model",
    "Program": "lang",
    "Type": "lang",
    "primitive": "lang",
    "Space": "spaces",
    "Strategy": "strategies",
    "Trainer": "trainers",
}

__all__ = [
    "Model",
    "Program",
    "Protocol",
    "Space",
    "Strategy",
    "Study",
    "Task",
    "Trainer",
    "Type",
    "grow",
    "primitive",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'perennial' has no attribute {name!r}; it offers {', '.join(__all__)}")
    return getattr(import_module(f"perennial.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
