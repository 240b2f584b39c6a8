"""Freezing: a program with open choices and a genotype give a closed program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perennial.lang.program import Call, Choice, Lambda, Literal, Program, Var, applied
from perennial.spaces.structure import Site, Structure


def close(structure: Structure, decisions: Mapping[str, Any]) -> Program:
    """The program of `structure` with every choice replaced by what was decided.

    Functions that come out of choices are applied where they are called, so that a fitted word inside a
    repeated block is an ordinary part of the program and not hidden in a function.
    """
    return _Closing(structure, decisions).body(structure.program, Site(None))


class _Closing:
    def __init__(self, structure: Structure, decisions: Mapping[str, Any]) -> None:
        self._structure, self._decisions = structure, decisions
        self._done: dict[tuple[Choice, str], Program] = {}

    def body(self, program: Program, owner: Site) -> Program:
        """A program that stands inside the choice of `owner`, closed."""
        sites = self._structure.sites(program, owner)
        expansions = iter([site for site in sites if site.depth > owner.depth])
        return self._rebuilt(program, owner, expansions, {})

    def _rebuilt(self, node: Program, owner: Site, expansions: Any, done: dict[Program, Program]) -> Program:
        """Children in order, since each `recurse` on the way takes the next expansion."""
        below = self._structure.below(node)
        if not below:
            return node
        if node in done:
            return done[node]
        if isinstance(node, Choice):
            return self._closed(next(expansions) if node.kind == "recurse" else self._site(node, owner))
        closed = node.with_children(
            [self._rebuilt(child, owner, expansions, done) for child in node.children]
        )
        if isinstance(closed, Call) and isinstance(closed.function, Lambda) and not closed.parameters:
            closed = _reduced(applied(closed.function, *closed.arguments))
        if not any(choice.kind == "recurse" for choice in below):
            done[node] = closed
        return closed

    def _site(self, choice: Choice, owner: Site) -> Site:
        return next(site for site in self._structure.sites(choice, owner) if site.choice is choice)

    def _closed(self, site: Site) -> Program:
        key = (site.choice, site.suffix)
        if key not in self._done:
            self._done[key] = self._decided(site, self._decisions[site.label])
        return self._done[key]

    def _decided(self, site: Site, value: Any) -> Program:
        choice = site.choice
        if choice.kind in ("integer", "real"):
            return Literal(value)
        if choice.kind == "one_of":
            return self.body(choice.options[value], site)
        copies = [f"/{number}" for number in range(value)] if choice.kind == "repeat" else [""] * bool(value)
        bodies = [self.body(choice.options[0], site._replace(suffix=site.suffix + copy)) for copy in copies]
        name = choice.options[0].names[0]
        chain: Program = Var(name)
        for function in bodies:
            chain = applied(function, chain)
        return Lambda((name,), chain)


def _reduced(program: Program) -> Program:
    """The program with every function applied that is called where it stands, such as one that was put in."""
    while (changed := program.transform(_applied)) is not program:
        program = changed
    return program


def _applied(node: Program) -> Program:
    direct = isinstance(node, Call) and isinstance(node.function, Lambda) and not node.parameters
    return applied(node.function, *node.arguments) if direct else node
