"""Weights with which each layer of a child computes what the parent's layer computed.

Layers are visited from the image upwards. Each value of the child is followed as a `Flow`: which value of the parent
it is, and which unit of it each unit holds. A widened layer repeats units (Net2WiderNet); the layer that takes them
divides what it had among the copies, in shares drawn at random, so that copies get different gradients and part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from perennial.lang import Call, Program, State
from perennial.morphism.alignment import NOT_COMPUTING, Alignment, can_be_identity, ordered_layers
from perennial.morphism.kernels import (
    BIAS,
    DEPTHWISE,
    MOVED,
    full_kernels,
    grown,
    middle,
    mixing_kernel,
    outputs_of,
    overlapped,
    shares_of,
)
from perennial.morphism.moments import Moments, added
from perennial.morphism.traits import Trait, never_negative_nodes, trait_of

NORM_EPSILON = 1e-3


@dataclass(frozen=True)
class Flow:
    """What a value of the child is in terms of the parent.

    Args:
        about: the parent's node whose value it holds; `None` for something new.
        units: for each unit the parent's unit that it equals, -1 for a new one, shape (units,).
        exact: whether it equals it whatever the image.
        zero: whether it is zero whatever the image.
        moments: mean and variance of each unit over images, as far as they are known.
    """

    about: Program | None = None
    units: np.ndarray | None = None
    exact: bool = False
    zero: bool = False
    moments: Moments | None = None


class Carrying:
    """One visit of all layers of a child.

    Args:
        alignment: what each layer was.
        states: the parent's, by node hash.
        fresh: the child's as they would be without a parent, by node hash; they give names and shapes.
        shapes: of the values of parent and child, without the batch: `(height, width, channels)` or `(units,)`.
        seed: of the shares.
    """

    def __init__(
        self,
        alignment: Alignment,
        states: Mapping[str, State],
        fresh: Mapping[str, State],
        shapes: Mapping[Program, tuple[int, ...]],
        seed: int = 0,
    ) -> None:
        self._alignment, self._states, self._fresh, self._shapes = alignment, states, fresh, shapes
        self._generator = np.random.default_rng(seed)
        self._flows: dict[Program, Flow] = {}
        self._zeroed: set[Program] = set()
        self._positive: frozenset[Program] = frozenset()
        self.states: dict[str, State] = {}
        self.steps: list[str] = []

    def run(self, parent: Program, child: Program) -> Flow:
        """Fills `states` and `steps`; returns what the outermost value is."""
        self._positive = never_negative_nodes(child) | never_negative_nodes(parent)
        for branch in self._alignment.added:
            if not self._silence(branch):
                self.steps.append(f"a new branch cannot begin at zero ({_named(branch)})")
        for node in ordered_layers(child):
            self._flows[node] = self._flow(node)
        for node in self._alignment.removed:
            if not self._means_nothing(node):
                self.steps.append(f"lost {_named(node)}")
        return self._flows[child]

    # -- one value ---------------------------------------------------------------------------------------------------

    def _flow(self, node: Program) -> Flow:
        parent, trait = self._alignment.same.get(node), trait_of(node)
        if trait is None:
            return self._given(node)
        if parent is not None:
            return self._continued(node, parent, trait)
        if node in self._alignment.inserted:
            return self._inserted(node, trait)
        if node in self._zeroed:
            return self._silent_layer(node)
        zero = trait.zero and all(self._flows[each].zero for each in node.arguments)
        return Flow(zero=zero)

    def _given(self, node: Program) -> Flow:
        """The image, or what words without gradients make of it: the same for parent and child."""
        return Flow(about=node, units=np.arange(self._shapes[node][-1]), exact=True)

    def _continued(self, node: Call, parent: Call, trait: Trait) -> Flow:
        if node is parent and all(self._unchanged(each) for each in node.arguments):
            self._copy(node, parent)
            units = np.arange(self._units(node)) if node in self._shapes else None
            return Flow(node, units, True, False, self._moments(node, trait))
        rule = {
            "linear": self._mixing, "separable": self._mixing, "head": self._mixing,
            "unitwise": self._unitwise, "sum": self._sum, "join": self._join, "flatten": self._flattened,
            "other": self._whole,
        }.get(trait.kind, self._passed)  # fmt: skip
        flow = rule(node, parent)
        return replace(flow, moments=self._moments(node, trait))

    def _passed(self, node: Call, parent: Call) -> Flow:
        """Words without weights that treat each unit by itself: units stay where they are."""
        flow = self._flows[node.arguments[0]]
        alike = node.function == parent.function and _computes_alike(node, parent)
        if not alike:
            self.steps.append(f"changed {_named(parent)} to {_named(node)}")
        if not self._is(flow, parent.arguments[0]):
            return Flow(parent)
        return Flow(parent, flow.units, flow.exact and alike)

    def _whole(self, node: Call, parent: Call) -> Flow:
        """Words whose insides are not known here: they go on as they are, or as far as their arrays fit."""
        flows = [self._flows[each] for each in node.arguments]
        alike = node.function == parent.function and _computes_alike(node, parent)
        unchanged = alike and len(flows) == len(parent.arguments) and all(
            self._is(flow, each) and flow.exact and np.array_equal(flow.units, np.arange(self._units(each)))
            for flow, each in zip(flows, parent.arguments, strict=False)
        )  # fmt: skip
        if parent.hash in self._states and node.hash in self._fresh:
            old = self._states[parent.hash]
            self.states[node.hash] = old if unchanged else overlapped(self._fresh[node.hash], old)
        if not unchanged:
            self.steps.append(f"copied what fits of {_named(parent)}")
            return Flow(parent)
        return Flow(parent, np.arange(self._units(node)), True)

    def _flattened(self, node: Call, parent: Call) -> Flow:
        """Units of every place side by side, channel by channel."""
        flow = self._flows[node.arguments[0]]
        before, after = self._shapes[parent.arguments[0]], self._shapes[node.arguments[0]]
        if flow.units is None or before[:-1] != after[:-1] or not self._is(flow, parent.arguments[0]):
            return Flow(parent)
        places = np.arange(math.prod(before[:-1]))[:, None] * before[-1]
        units = np.where(flow.units >= 0, places + flow.units, -1).ravel()
        return Flow(parent, units, flow.exact)

    def _sum(self, node: Call, parent: Call) -> Flow:
        """Every term of the parent once, in the same units; what is new is zero."""
        flows = [self._flows[each] for each in node.arguments]
        kept = [flow for flow in flows if not flow.zero]
        if len(kept) < len(flows):
            self.steps.append(f"added a branch that begins at zero to {_named(node)}")
        left = [self._stands_for(each) for each in parent.arguments]
        for flow in kept:
            if flow.about is not None and self._stands_for(flow.about) in left:
                left.remove(self._stands_for(flow.about))
            else:
                return Flow(parent)
        alike = all(_same_units(flow.units, kept[0].units) for flow in kept)
        return Flow(parent, _first_units(kept), alike and not left and all(flow.exact for flow in kept))

    def _join(self, node: Call, parent: Call) -> Flow:
        """Units side by side; each part of the parent is found again at its own offset."""
        offsets, start = {}, 0
        for each in parent.arguments:
            offsets[self._stands_for(each)] = start
            start += self._units(each)
        parts, exact = [], True
        for each in node.arguments:
            flow = self._flows[each]
            offset = None if flow.about is None else offsets.get(self._stands_for(flow.about))
            if offset is None or flow.units is None:
                parts.append(np.full(self._units(each), -1))
            else:
                parts.append(np.where(flow.units >= 0, flow.units + offset, -1))
                exact &= flow.exact
        if len(node.arguments) > len(parent.arguments):
            self.steps.append(f"added a branch beside the others of {_named(node)}")
        return Flow(parent, np.concatenate(parts), exact)

    def _unitwise(self, node: Call, parent: Call) -> Flow:
        """One number a unit: copied to wherever the unit went."""
        flow = self._flows[node.arguments[0]]
        old, fresh = self._states[parent.hash], self._fresh[node.hash]
        alike = node.function == parent.function and _computes_alike(node, parent)
        if flow.units is None or not self._is(flow, parent.arguments[0]) or not alike:
            self.states[node.hash] = overlapped(fresh, old)
            self.steps.append(f"copied what fits of {_named(parent)}")
            return Flow(parent)
        kept = flow.units >= 0
        arrays = {}
        for name, array in fresh.arrays.items():
            moved = array.copy()
            moved[kept] = old.arrays[name][flow.units[kept]]
            arrays[name] = moved
        self.states[node.hash] = State(arrays, fresh.texts)
        return Flow(parent, flow.units, flow.exact)

    def _mixing(self, node: Call, parent: Call) -> Flow:
        """Kernels: output units copied, input units divided among their copies, new places zero."""
        flow = self._flows[node.arguments[0]]
        old, fresh = self._states[parent.hash], self._fresh[node.hash]
        head = trait_of(node).kind == "head"
        outputs = self._copies(node, parent, old, fresh, head)
        known = flow.units is not None and self._is(flow, parent.arguments[0])
        moved = None
        if known:
            moved = self._moved(node, parent, old, flow.units, outputs)
        if moved is None:
            self.states[node.hash] = overlapped(fresh, old)
            self.steps.append(f"copied what fits of {_named(parent)} into {_named(node)}")
            return Flow(parent, outputs)
        arrays, exact = moved
        rest = old if head else fresh
        self.states[node.hash] = State({**rest.arrays, **arrays}, rest.texts)
        return Flow(parent, outputs, exact and flow.exact and (head or len(outputs) >= outputs_of(old)))

    # -- layers that are new -----------------------------------------------------------------------------------------

    def _inserted(self, node: Call, trait: Trait) -> Flow:
        """A layer between two that continue: the identity, where it can be."""
        base = self._flows[self._alignment.inserted[node]]
        rule = {
            "linear": self._identity, "separable": self._identity, "unitwise": self._plain_norm,
            "sum": self._sum_beside, "join": self._join_beside,
        }.get(trait.kind, self._harmless)  # fmt: skip
        flow = rule(node, base)
        if trait.kind not in ("sum", "join"):
            self.steps.append(
                f"deepened by {_named(node)}"
                if flow.exact or not base.exact
                else f"inserted {_named(node)}, which changes the function"
            )
        return replace(flow, moments=self._moments(node, trait, base))

    def _harmless(self, node: Call, base: Flow) -> Flow:
        trait = trait_of(node)
        silent = trait.silent or (trait.repeatable and base.about in self._positive)
        return replace(base, exact=base.exact and silent)

    def _identity(self, node: Call, base: Flow) -> Flow:
        """A kernel that is 1 in the middle for each unit's own copy (Dirac); further units are copies."""
        before, after = self._units(node.arguments[0]), self._units(node)
        fresh = self._fresh[node.hash]
        if not can_be_identity(node, {each: shape[-1] for each, shape in self._shapes.items()}):
            return Flow(
                base.about, base.units[:after] if base.units is not None and before >= after else None
            )
        source = np.arange(after) % before
        arrays = {name: np.zeros_like(array) for name, array in fresh.arrays.items()}
        mixing = mixing_kernel(arrays)
        middle(arrays[mixing])[source, np.arange(after)] = 1.0
        if DEPTHWISE in arrays:
            middle(arrays[DEPTHWISE])[...] = 1.0
        self.states[node.hash] = State(arrays, fresh.texts)
        units = None if base.units is None else base.units[source]
        return replace(base, units=units, exact=base.exact)

    def _plain_norm(self, node: Call, base: Flow) -> Flow:
        """A normalisation whose scale and shift undo its division, so that it hands everything on."""
        fresh = self._fresh[node.hash]
        units, epsilon = self._units(node), float(node.settings.get("epsilon", NORM_EPSILON))
        moments = base.moments or Moments(np.zeros(units), np.ones(units))
        values = {
            "gamma": np.sqrt(moments.variance + epsilon), "beta": moments.mean,
            "moving_mean": moments.mean, "moving_variance": moments.variance,
        }  # fmt: skip
        if set(values) != set(fresh.arrays):
            return replace(base, exact=False)
        arrays = {name: values[name].astype(array.dtype) for name, array in fresh.arrays.items()}
        self.states[node.hash] = State(arrays, fresh.texts)
        return base

    def _sum_beside(self, node: Call, base: Flow) -> Flow:
        others = [self._flows[each] for each in node.arguments if each is not self._alignment.inserted[node]]
        self.steps.append(f"added a skip or branch by {_named(node)}")
        return replace(base, exact=base.exact and all(flow.zero for flow in others))

    def _join_beside(self, node: Call, base: Flow) -> Flow:
        kept = self._alignment.inserted[node]
        parts = [
            base.units if each is kept and base.units is not None else np.full(self._units(each), -1)
            for each in node.arguments
        ]
        self.steps.append(f"added a branch beside by {_named(node)}")
        return replace(base, units=np.concatenate(parts))

    def _silent_layer(self, node: Call) -> Flow:
        """The last layer with weights of a new branch: all of them zero."""
        fresh = self._fresh[node.hash]
        arrays = {
            name: array if name.startswith("moving") or name == DEPTHWISE else np.zeros_like(array)
            for name, array in fresh.arrays.items()
        }
        self.states[node.hash] = State(arrays, fresh.texts)
        return Flow(zero=True)

    def _silence(self, branch: Program) -> bool:
        """Marks the layers that make a new branch zero; whether that is possible."""
        trait = trait_of(branch)
        if trait is None or branch in self._alignment.same or branch in self._alignment.inserted:
            return False
        if trait.kind in ("linear", "separable", "unitwise"):
            self._zeroed.add(branch)
            return True
        silenced = [self._silence(each) for each in branch.arguments]
        return trait.zero and bool(silenced) and all(silenced)

    # -- kernels -----------------------------------------------------------------------------------------------------

    def _copies(self, node: Call, parent: Call, old: State, fresh: State, head: bool) -> np.ndarray:
        """For each output unit the parent's unit that it copies."""
        before, after = outputs_of(old), outputs_of(fresh)
        if before != after and not head:
            self.steps.append(
                f"{'widened' if after > before else 'narrowed'} {_named(parent)} to {after} units"
            )
        return np.arange(after) % before

    def _moved(
        self, node: Call, parent: Call, old: State, inputs: np.ndarray, outputs: np.ndarray
    ) -> tuple[dict[str, np.ndarray], bool] | None:
        """The arrays of a mixing layer, and whether it does what the parent's did; `None` when nothing fits."""
        fresh = self._fresh[node.hash].arrays
        arrays, before = {name: fresh[name] for name in fresh if name in MOVED}, old.arrays
        if DEPTHWISE in before and DEPTHWISE not in arrays:
            before = full_kernels(before)
            self.steps.append(f"made {_named(parent)} a full convolution")
        if not arrays.keys() <= before.keys():
            return None
        known, source = inputs >= 0, np.maximum(inputs, 0)
        looking = DEPTHWISE if DEPTHWISE in arrays else mixing_kernel(arrays)
        kernel, whole = self._looking(before[looking], arrays[looking], node, parent)
        if looking == DEPTHWISE:
            arrays[DEPTHWISE] = np.where(known[:, None], kernel[..., source, :], arrays[DEPTHWISE])
            kernel = before[mixing_kernel(before)]
        shares = shares_of(inputs, len(outputs), self._generator)
        mixed = kernel[..., source, :][..., outputs] * shares
        arrays[mixing_kernel(arrays)] = mixed.astype(kernel.dtype)
        if BIAS in arrays:
            arrays[BIAS] = before[BIAS][outputs]
        covered = len(np.unique(inputs[known])) == self._units(parent.arguments[0])
        head = trait_of(node).kind == "head"
        alike = head or _computes_alike(node, parent, but=("kernel", "width", "units"))
        return arrays, bool(covered and alike and whole)

    def _looking(
        self, kernel: np.ndarray, fresh: np.ndarray, node: Call, parent: Call
    ) -> tuple[np.ndarray, bool]:
        """The kernel with as many places as the child's, and whether all of it is still there."""
        wanted = fresh.shape[:-2]
        if kernel.shape[:-2] == wanted:
            return kernel, True
        sizes = self._shapes[node.arguments[0]][: len(wanted)]
        resized, whole = grown(kernel, wanted, sizes, int(node.settings.get("stride", 1)))
        self.steps.append(f"{'grew' if whole else 'cut'} the kernel of {_named(parent)} to {wanted[0]}")
        return resized, whole

    # -- small questions ---------------------------------------------------------------------------------------------

    def _units(self, node: Program) -> int:
        return self._shapes[node][-1]

    def _copy(self, node: Call, parent: Call) -> None:
        if parent.hash in self._states:
            self.states[node.hash] = self._states[parent.hash]

    def _unchanged(self, node: Program) -> bool:
        """Whether it is the parent's own node, and not also the continuation of another one."""
        flow = self._flows[node]
        return flow.about is node and flow.exact and np.array_equal(flow.units, np.arange(self._units(node)))

    def _stands_for(self, node: Program) -> Program:
        """The parent's node, or what it stood on when it was removed and had as many units."""
        while node in self._alignment.removed and len(node.arguments) == 1:
            below = node.arguments[0]
            if self._shapes[below][-1] != self._shapes[node][-1]:
                return node
            node = below
        return node

    def _is(self, flow: Flow, node: Program) -> bool:
        return flow.about is not None and self._stands_for(flow.about) is self._stands_for(node)

    def _means_nothing(self, node: Call) -> bool:
        """Whether a removed layer of the parent did nothing outside training."""
        trait = trait_of(node)
        return trait.silent or (trait.repeatable and node.arguments[0] in self._positive)

    def _moments(self, node: Call, trait: Trait, base: Flow | None = None) -> Moments | None:
        if trait.kind == "unitwise":
            arrays = self.states[node.hash].arrays if node.hash in self.states else {}
            if {"beta", "gamma"} <= set(arrays):
                return Moments(arrays["beta"].astype(np.float64), arrays["gamma"].astype(np.float64) ** 2)
            return None
        if base is not None and trait.kind in ("linear", "separable"):
            if base.moments is None or node.hash not in self.states:
                return None
            return base.moments.taken(np.arange(self._units(node)) % self._units(node.arguments[0]))
        if trait.kind == "sum":
            terms = [self._flows[each] for each in node.arguments]
            return added([flow.moments for flow in terms if not flow.zero])
        if trait.kind == "pointwise" and node.arguments:
            before = self._flows[node.arguments[0]].moments
            if before is None or trait.silent:
                return before
            again = base is not None and base.about in self._positive and trait.repeatable
            return before if again else before.after(node.function.name)
        return None


def _same_units(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    return a is not None and b is not None and np.array_equal(a, b)


def _first_units(flows: list[Flow]) -> np.ndarray | None:
    return next((flow.units for flow in flows if flow.units is not None), None)


def _computes_alike(node: Call, parent: Call, but: tuple[str, ...] = ()) -> bool:
    """Whether both have the same parameters, but for those that do not matter outside training."""
    mine, theirs = node.settings, parent.settings
    ignored = NOT_COMPUTING | set(but)
    return all(mine[name] == theirs[name] for name in mine.keys() & theirs.keys() - ignored)


def _named(node: Program) -> str:
    """The word with the parameters that were given."""
    told = ", ".join(f"{name}={literal.value!r}" for name, literal in node.parameters)
    return (
        f"{node.function.name}({told})"
        if trait_of(node) and trait_of(node).kind != "head"
        else node.function.name
    )
