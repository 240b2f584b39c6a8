"""Programs whose networks are one word each: what a trainer fits and an interpreter runs."""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import numpy as np

from perennial.compiler.networks import SHORT, Compiled
from perennial.errors import DamagedFile, ProgramError
from perennial.lang import (
    Call,
    FitContext,
    Lambda,
    Learner,
    Op,
    Program,
    State,
    Tensor,
    Type,
    TypeVar,
    Var,
    evaluate,
    parse,
    parse_type,
    to_source,
    typed,
)
from perennial.lang.types import Record, fresh
from perennial.modalities.checks import row_hashes
from perennial.modalities.units import SAME, Conversion
from perennial.primitives import vocabulary
from perennial.primitives.layers.frozen import Frozen
from perennial.primitives.layers.head import Head
from perennial.primitives.reused import Recalled, Reused
from perennial.spaces.limits import Limits, cost_of
from perennial.weights import Weights

LARGEST = Limits(parameters=1e8, flops=2e9, activations=1e8)
"""What a network may cost that is reused: every candidate that stands on it runs it again."""
LEAST_PROBABILITY = 1e-3
MOST_ANSWERS, MOST_SEEN = 2**24, 2**22
LARGEST_CONSTANT = 2**31


class _Taken(Learner):
    """What one `frozen` or `recalled` names, as one word: it takes over what was learnt, and learns nothing.

    Subclasses say what their state is, and whether one can be theirs.

    Args:
        node: the call.
    """

    cost = 10.0

    def __init__(self, node: Call) -> None:
        self.node, self.name = node, f"{node.function.name}_{node.hash[:SHORT]}"
        self.inputs = node.arguments

    def fit(self, inputs: tuple, target: Any, context: FitContext, **parameters: Any) -> State:
        """What was handed in for it, for inputs of these shapes.

        Raises:
            ProgramError: nothing was, or it does not fit.
        """
        given, word = context.initial.get(self.node.hash), self.node.function.name
        if given is None:
            raise ProgramError(
                f"The weights of `{word}(…, of={self.node.settings['of']!r})` are not at hand.",
                todo="Grow with the library that holds this record.",
            )
        state = self.taken(given, inputs, context)
        try:
            self.check(state)
        except DamagedFile as error:
            raise ProgramError(f"The weights of `{word}` do not fit here: {error.what}") from error
        return state

    def taken(self, given: State, inputs: tuple, context: FitContext) -> State:
        """The state for these inputs; by itself what was handed in."""
        return given

    @abstractmethod
    def check(self, state: State) -> None:
        """Whether a state can belong to this word; nothing is built.

        Raises:
            DamagedFile: it cannot.
        """


class FrozenNetwork(_Taken):
    """The network below one `frozen`."""

    doc = "A network whose weights stay."

    def __init__(self, node: Call) -> None:
        super().__init__(node)
        self.network = Compiled(node.arguments[0])
        self.inputs = self.network.inputs

    def infer(self, *types: Type, **parameters: Any) -> Type:
        """The features, where it is known what comes in."""
        if any(isinstance(kind, TypeVar) or kind.variables for kind in types):
            return fresh("features")
        return self.network.gives(types)

    def taken(self, given: State, inputs: tuple, context: FitContext) -> State:
        """The weights, with the shapes of these inputs; the same object each time, so that what it saw is found again."""
        layout = self.network.layout(inputs, context.types)
        shaped, key = _shaped.setdefault(given, {}), (self.node.hash, json.dumps(layout))
        if key not in shaped:
            features = self.network.gives(self.network.concrete_types(layout))
            shaped[key] = State(dict(given.arrays), {"layout": key[1], "type": str(features)})
        if given in _asked_once:
            _asked_once.add(shaped[key])
        return shaped[key]

    def call(self, *inputs: Any, state: State, **parameters: Any) -> np.ndarray:
        """`(n, d)` features."""
        if state not in _asked_once or len(inputs) > 1:
            return self._seen_in(inputs, state)
        return _answers_of(state, MOST_SEEN).of(inputs[0], lambda rows: self._seen_in((rows,), state))

    def _seen_in(self, inputs: tuple, state: State) -> np.ndarray:
        return self.network.raw(inputs, state, "around" if self.node.settings["shifted"] else "none")

    def check(self, state: State) -> None:
        """Whether a state can belong to this network; nothing is built.

        Raises:
            DamagedFile: it cannot.
        """
        self.network.check(state)
        kinds = self.network.concrete_types(json.loads(state.texts["layout"]))
        if str(self.network.gives(kinds)) != state.texts["type"]:
            raise DamagedFile("The weights of a frozen network say that they give something else.")


class RecalledModel(_Taken):
    """The model that one `recalled` names."""

    doc = "A model of another task."

    def infer(self, *types: Type, **parameters: Any) -> Type:
        """As many numbers as the model says."""
        return Tensor(self.node.settings["size"])

    def call(self, *inputs: Any, state: State, **parameters: Any) -> np.ndarray:
        """`(n, size)`: the mean over its replicas, as logarithms where it says probabilities."""
        if state not in _asked_once:
            return self._said_of(inputs[0], state)
        return _answers_of(state, MOST_ANSWERS).of(inputs[0], lambda rows: self._said_of(rows, state))

    def _said_of(self, rows: Any, state: State) -> np.ndarray:
        known = _models.get(state)
        if known is None:
            told = Packed.of(state)
            known = _models[state] = (
                compiled(told.program),
                states_of(told.program, told.replicas),
                told.fields,
                told.output,
            )
        program, replicas, fields, output = known
        if fields:
            rows = {field.name: field.of(rows) for field in fields}
        said = mean_of(program, rows, replicas)
        if output.name in ("Dist", "Marginals"):
            said = np.log(np.clip(said, LEAST_PROBABILITY, 1.0))
        return np.asarray(said, np.float32).reshape(len(said), self.node.settings["size"])

    def check(self, state: State) -> None:
        """Whether a state is a model that says so many numbers and may be built; nothing is built.

        Raises:
            DamagedFile: it is not.
        """
        if state in _models:
            return
        try:
            told = Packed.of(state)
            if any(isinstance(node.function, Recalled) for node in reused_parts(told.program)):
                raise ValueError("it recalls another model itself")
            typed(told.program, (told.input,), told.output)
            if isinstance(told.input, Record) and {f.name for f in told.fields} != set(told.input.fields):
                raise ValueError("it does not say where its columns come from")
            if told.size != self.node.settings["size"]:
                raise ValueError(f"it says {told.size} numbers")
            for replica in told.replicas:
                check_states(told.program, replica)
            if broken := LARGEST.broken_by(cost_of(told.program, (told.input,), told.output)):
                raise ValueError(f"it is too large: {broken}")
        except (ProgramError, LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise DamagedFile(f"This is no model to recall: {error}.") from error


class _Answers:
    """What a model or a network said of rows, so that none is asked twice; rows are told apart by hashes of 64 bits.

    Args:
        most: numbers that are kept.
    """

    def __init__(self, most: int) -> None:
        self.most, self.hashes = most, np.empty(0, np.uint64)
        self.values: np.ndarray | None = None

    def of(self, rows: Any, ask: Callable[[Any], np.ndarray]) -> np.ndarray:
        """The answers for a batch of rows; those that are not known are asked for, and kept while there is room."""
        record = isinstance(rows, Mapping)
        asked = row_hashes(rows if record else {"": rows})
        new = np.flatnonzero(~np.isin(asked, self.hashes))
        if not len(new) and self.values is not None:
            return self.values[np.searchsorted(self.hashes, asked)]
        told = ask({name: column[new] for name, column in rows.items()} if record else rows[new])
        hashes, first = np.unique(np.concatenate([self.hashes, asked[new]]), return_index=True)
        values = (told if self.values is None else np.concatenate([self.values, told]))[first]
        if values.size <= self.most:
            self.hashes, self.values = hashes, values
        return values[np.searchsorted(hashes, asked)]


_models: WeakKeyDictionary[State, tuple] = WeakKeyDictionary()
_asked_once: WeakSet[State] = WeakSet()
_answers: WeakKeyDictionary[State, _Answers] = WeakKeyDictionary()
_shaped: WeakKeyDictionary[State, dict[tuple[str, str], State]] = WeakKeyDictionary()


def keep_answers(node: Call, state: State) -> None:
    """From now on what one `frozen` or `recalled` names is asked only once about a row: a search asks for the same rows with
    each candidate.

    Args:
        node: the call. What a `frozen` sees is large, so less of it is kept.
        state: what was learnt, while this very object lives.
    """
    if isinstance(node.function, Reused):
        _asked_once.add(state)


def _answers_of(state: State, most: int) -> _Answers:
    if state not in _answers:
        _answers[state] = _Answers(most)
    return _answers[state]


@dataclass(frozen=True)
class Field:
    """Where a column that a model takes comes from in rows of another task.

    Args:
        name: in the model.
        source: in the rows.
        codes: of a category, the model's code for each code of the rows; empty for other columns.
        units: of a number, how it is measured in the rows.
        constant: of a number or a category that the rows do not have, what it is in all of them.
        levels: of a category that is missing in them, how many codes it could have.
    """

    name: str
    source: str
    codes: tuple[int, ...] = ()
    units: Conversion = SAME
    constant: float | int | None = None
    levels: int = 0

    def of(self, row: Mapping[str, np.ndarray]) -> np.ndarray:
        """The column as the model takes it; codes below zero (missing, unseen) stay as they are."""
        if self.constant is not None:
            kind = np.int32 if isinstance(self.constant, int) else np.float64
            column = np.full(len(next(iter(row.values()))), self.constant, kind)
        else:
            column = row[self.source]
        if not self.codes:
            return column if self.units == SAME else self.units.back(column)
        known = np.array(self.codes, dtype=column.dtype)[np.clip(column, 0, len(self.codes) - 1)]
        return np.where(column < 0, column, known).astype(column.dtype)

    def to_json(self) -> dict[str, Any]:
        """As a dictionary of plain values."""
        units = None if self.units == SAME else [self.units.factor, self.units.offset]
        told = {"name": self.name, "source": self.source, "codes": list(self.codes), "units": units}
        constant = "missing" if self.constant != self.constant else self.constant
        return {**told, "constant": constant, "levels": self.levels}

    @staticmethod
    def from_json(told: Any) -> Field:
        """The inverse of `to_json`, also of the lists of name, source and codes that it was before.

        Raises:
            ValueError, LookupError, TypeError, OverflowError: it is none.
        """
        if isinstance(told, list):
            told = dict(zip(("name", "source", "codes"), told, strict=True))
        factor, offset = map(float, told.get("units") or (1.0, 0.0))
        if not (math.isfinite(factor) and math.isfinite(offset) and factor):
            raise ValueError("its units are no units")
        constant, levels = told.get("constant"), int(told.get("levels", 0))
        if constant == "missing":
            constant = math.nan
        elif constant is not None and not (
            isinstance(constant, int | float) and abs(constant) < LARGEST_CONSTANT
        ):
            raise ValueError("its constant is no number, or too large")
        codes = tuple(int(code) for code in told["codes"])
        return Field(
            str(told["name"]), str(told["source"]), codes, Conversion(factor, offset), constant, levels
        )


@dataclass(frozen=True)
class Packed:
    """A model as one state of `recalled`.

    Args:
        program: from an input to a prediction.
        replicas: its weights.
        input: type of what it takes.
        output: type of what it says.
        fields: where its columns come from, when it takes the rows of a table.
    """

    program: Program
    replicas: tuple[Weights, ...]
    input: Type
    output: Type
    fields: tuple[Field, ...] = ()

    @property
    def size(self) -> int:
        """How many numbers it says of one input."""
        if self.output.name in ("Dist", "Marginals"):
            return self.output.k
        return math.prod(getattr(self.output, "dims", ()))

    @property
    def state(self) -> State:
        """Program and types as text, the weights of each replica as bytes."""
        arrays = {
            f"replica_{number:03d}": np.frombuffer(replica.to_bytes(), np.uint8)
            for number, replica in enumerate(self.replicas)
        }
        texts = {"source": to_source(self.program), "input": str(self.input), "output": str(self.output)}
        fields = json.dumps([each.to_json() for each in self.fields])
        return State(arrays, {**texts, "fields": fields})

    @staticmethod
    def of(state: State) -> Packed:
        """The inverse of `state`; nothing is built.

        Raises:
            ProgramError, DamagedFile, LookupError, ValueError: it is none.
        """
        program = parse(state.texts["source"], vocabulary())
        replicas = tuple(Weights.from_bytes(state.arrays[name].tobytes()) for name in sorted(state.arrays))
        if not replicas:
            raise ValueError("it has no weights")
        fields = tuple(Field.from_json(told) for told in json.loads(state.texts["fields"]))
        kinds = [parse_type(state.texts[name]) for name in ("input", "output")]
        return Packed(program, replicas, *kinds, fields)


def compiled(program: Program) -> Program:
    """The program with each network as one word; without a network it is the same program."""
    for node in [*heads(program), *reused_parts(program)]:
        program = program.replace(node, _node_of(node))
    return program


def heads(program: Program) -> list[Call]:
    """The calls of `head`, each once."""
    return _calls(program, Head)


def reused_parts(program: Program) -> list[Call]:
    """The calls of `frozen` and `recalled`, each once."""
    return _calls(program, Reused)


def compiled_states(program: Program, weights: Mapping[str, State]) -> dict[str, State]:
    """Weights by the nodes of the compiled program."""
    joined = _joined(program)
    return {joined.get(key, key): state for key, state in weights.items()}


def states_of(program: Program, replicas: Sequence[Weights]) -> list[dict[str, State]]:
    """The weights of each replica by the nodes of the compiled program; what is reused, and the same in all, is one object."""
    return [compiled_states(program, replica) for replica in together(program, apart(program, replicas))]


def apart(program: Program, replicas: Sequence[Weights]) -> list[Weights]:
    """Replicas as they are written: what is reused, and the same in all, is with the first only.

    Args:
        program: that was fitted.
        replicas: its weights.
    """
    first, others = replicas[0], replicas[1:]
    shared = {
        node.hash
        for node in reused_parts(program)
        if all(node.hash in other and _same(first[node.hash], other[node.hash]) for other in others)
    }
    return [first, *(Weights({key: other[key] for key in other if key not in shared}) for other in others)]


def together(program: Program, replicas: Sequence[Weights]) -> tuple[Weights, ...]:
    """The inverse of `apart`; what a replica has itself stays."""
    first = replicas[0] if replicas else {}
    shared = {node.hash: first[node.hash] for node in reused_parts(program) if node.hash in first}
    return tuple(Weights({**shared, **replica}) if shared else replica for replica in replicas)


def mean_of(program: Program, rows: Any, replicas: Sequence[Mapping[str, State]]) -> np.ndarray:
    """What a program says of a batch, as the mean over its replicas. What they reuse is asked once, and not by each of them.

    Args:
        program: compiled, a function of one batch.
        rows: the batch.
        replicas: of `states_of`.
    """
    known = {}
    for node in _calls(program, _Taken) if len(replicas) > 1 else ():
        first, *others = [states.get(node.hash) for states in replicas]
        if all(isinstance(each, Var) for each in node.arguments) and all(first is other for other in others):
            known[node] = evaluate(Lambda(program.names, node), rows, states=replicas[0])
    return np.mean([evaluate(program, rows, states=states, known=known) for states in replicas], axis=0)


def _same(one: State, other: State) -> bool:
    if one is other:
        return True
    pairs = ((array, other.arrays.get(name)) for name, array in one.arrays.items())
    return (
        one.texts == other.texts
        and one.arrays.keys() == other.arrays.keys()
        and all(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs)
    )


def original_states(program: Program, states: Mapping[str, State]) -> dict[str, State]:
    """The inverse of `compiled_states`."""
    original = {there: here for here, there in _joined(program).items()}
    return {original.get(key, key): state for key, state in states.items()}


def _joined(program: Program) -> dict[str, str]:
    """For the hash of each fitted word of a program, its hash in the compiled one."""
    if not heads(program) and not reused_parts(program):
        return {}
    calls = (node for node in program.walk() if isinstance(node, Call))
    return {node.hash: compiled(node).hash for node in calls if getattr(node.function, "fits", False)}


def check_states(program: Program, weights: Mapping[str, State]) -> None:
    """Whether weights can belong to the fitted words of a program; nothing is built.

    Raises:
        DamagedFile: a word has none, or they are not those of a network or a model.
    """
    fitted = {node.hash for node in _calls(program, Op) if node.function.fits}
    if not fitted <= set(weights):
        raise DamagedFile(f"Of {len(fitted)} fitted words {len(fitted - set(weights))} have no weights.")
    for node in [*heads(program), *reused_parts(program)]:
        word_of(node).check(weights[node.hash])


def _calls(program: Program, kind: type) -> list[Call]:
    return [node for node in program.walk() if isinstance(node, Call) and isinstance(node.function, kind)]


def word_of(node: Call) -> Compiled | FrozenNetwork | RecalledModel:
    """The word that stands for a `head`, a `frozen` or a `recalled`."""
    kinds = {Frozen: FrozenNetwork, Recalled: RecalledModel}
    return kinds.get(type(node.function), Compiled)(node)


def _node_of(node: Call) -> Call:
    """Its call."""
    word = word_of(node)
    return Call(word, tuple(compiled(argument) for argument in word.inputs))
