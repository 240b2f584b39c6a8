"""`perennial library`: what is remembered, whether it is sound, and how it travels."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from perennial.cli.answers import answer, say
from perennial.cli.app import EXIT_FAILED, EXIT_GOOD, Flag, Many
from perennial.cli.arguments import seconds_of
from perennial.errors import UsageError

if TYPE_CHECKING:
    from perennial.library import Library
    from perennial.library.library import Listed
    from perennial.task import Task

Place = Annotated[str | None, Parameter(name="--library")]
SHOWN_TYPE = 40
GAIN = (
    "gain: expected, with a 95 % interval of what would be seen; 10 % is a tenth of the way from common sense to the best of the"
    " usual openers further."
)

app = App(name="library", help="What is remembered from all tasks: list, show, verify, gc, pack and unpack.")


@app.command(name="list")
def list_(pattern: str | None = None, *, library: Place = None, json: Flag = False) -> int:
    """What is remembered, with the task it comes from and how well it does.

    Parameters
    ----------
    pattern
        Only names like this, such as titanic/*.
    library
        The folder. Default: PERENNIAL_LIBRARY, else the user's data folder.
    """
    with _opened(library) as opened:
        lines = [
            line for line in opened.listing() if not pattern or fnmatchcase(line.name.split("@")[0], pattern)
        ]
    rows = [_row(line) for line in lines]
    return answer(
        rows,
        json,
        _table(rows) if rows else f"No name looks like {pattern}." if pattern else "The library is empty.",
    )


@app.command
def show(name: str, *, library: Place = None, json: Flag = False) -> int:
    """One record: its program, where it comes from, and the evidence of where it helped.

    Parameters
    ----------
    name
        Such as titanic/solution, titanic/solution@2, or the beginning of an id.
    """
    from dataclasses import asdict

    with _opened(library) as opened:
        record = opened.get(name)
        header = opened.store.header(record.id)
        evidence = [each.to_json() for each in opened.store.evidence(record=record.id)]
        edges = [asdict(edge) for edge in opened.store.edges() if record.id in (edge.child, edge.parent)]
    told = {
        "id": record.id, "kind": record.kind, "program": record.source, "input": record.input, "output": record.output,
        "weights": len(record.weights), "card": header.card.to_json(), "evidence": evidence, "edges": edges,
    }  # fmt: skip
    return answer(told, json, _text(told))


@app.command
def search(data: str, *, target: Many = None, library: Place = None, json: Flag = False) -> int:
    """What a study of a minute would try early on a task, and why. Nothing is fitted.

    Parameters
    ----------
    data
        As for grow.
    target
        The column to predict; repeat it for several targets.
    """
    from perennial.library.gains import tried
    from perennial.library.recall import helped, suggest
    from perennial.plan import DEFAULT_SECONDS
    from perennial.protocol import Protocol
    from perennial.spaces.offers import space_for
    from perennial.task import Task

    task = Task.from_data(
        data, list(target) if target and len(target) > 1 else (target[0] if target else None)
    )
    if task.modality == "examples":
        raise UsageError(
            "Programs for examples are not ranked: those of the same types are tried on the examples themselves.",
            todo="Run grow with the library, or give a table or images.",
        )
    rows_to_learn_from, _ = Protocol.propose(task).split(task)
    space = space_for(
        task.modality, task.input_type, task.output_type, len(rows_to_learn_from), DEFAULT_SECONDS
    )
    with _opened(library) as opened:
        rows = _known_features(opened, task, task.take(rows_to_learn_from)) + [
            {"name": each.name, "record": each.record, "from": each.task.name, "distance": round(each.distance, 3), "gain": each.gain, "reason": each.reason}
            for each in suggest(opened, task, space)
        ]  # fmt: skip
        told = tried(opened)
    rows = [{**row, "helped": helped(told, row["record"])} for row in rows]
    shown = ("name", "from", "distance", "gain", "helped", "reason")
    table = _table([{column: row[column] for column in shown} for row in rows]) if rows else ""
    text = f"{table}\n\n{GAIN}" if rows else "Nothing that fits is remembered."
    return answer([{**row, "gain": asdict(row["gain"])} for row in rows], json, text)


def _known_features(library: Library, task: Task, training: Task) -> list[dict[str, Any]]:
    """Networks of other tasks, cut below their heads, and whole models, by how much they say about the training rows."""
    from perennial.library import features
    from perennial.library.description import learnt_of
    from perennial.library.gains import Gains

    parts, asked = features.parts_for(library, task), learnt_of(task)
    found = features.ranked(parts, features.scores(parts, training, 0))
    gains = {role: Gains(library, asked, role) for role in {part.role for part, _ in found}}
    return [
        {"name": part.name, "record": part.record, "from": part.name.partition("/")[0], "distance": None, "gain": gains[part.role].predicted([part.record])[0], "reason": features.reason(task.problem, score, part.units)}
        for part, score in found
    ]  # fmt: skip


@app.command
def verify(*, sample: int | None = None, library: Place = None, json: Flag = False) -> int:
    """Compare every byte with its hash, and let old models say again what they said; exits 1 when something is wrong.

    Parameters
    ----------
    sample
        Replay only so many models, chosen by chance. Default: all.
    """
    from dataclasses import asdict

    from perennial.library.upkeep import verify as verified
    from perennial.modalities.base import counted

    with _opened(library) as opened:
        found = verified(opened, sample)
    lines = [
        f"{counted(found.records, 'record')} and {counted(found.blobs, 'blob')} read, "
        f"{counted(found.replayed, 'model')} replayed, "
        f"{found.exact} of them bit for bit",
        *(f"WRONG {', '.join(each.names) or each.digest[:12]}: {each.what}" for each in found.problems),
        *(
            [f"{counted(found.orphans, 'blob')} that nothing needs; perennial library gc removes them"]
            if found.orphans
            else []
        ),
        "nothing is wrong" if not found.problems else counted(len(found.problems), "problem"),
    ]
    answer(asdict(found), json, "\n".join(lines))
    return EXIT_FAILED if found.problems else EXIT_GOOD


@app.command
def gc(*, dry_run: Flag = False, grace: str = "24h", library: Place = None, json: Flag = False) -> int:
    """Remove what no name reaches.

    Parameters
    ----------
    dry_run
        Only say what would be removed.
    grace
        What is younger stays: another process may be about to name it.
    """
    from dataclasses import asdict

    from perennial.library.upkeep import gc as sweep

    seconds = 0.0 if re.fullmatch(r"0[smhd]?", grace) else seconds_of(grace, "--grace")
    with _opened(library) as opened:
        swept = sweep(opened, dry_run=dry_run, grace=seconds)
    verb = "would remove" if dry_run else "removed"
    text = f"{verb} {len(swept.records)} records and {len(swept.blobs)} blobs, {swept.bytes} bytes; {swept.young} too young"
    return answer({**asdict(swept), "dry_run": dry_run}, json, text)


@app.command
def forget(name: str, *, library: Place = None, json: Flag = False) -> int:
    """Take a name away; gc removes what nothing else reaches.

    Parameters
    ----------
    name
        With a version; without one, the newest.
    """
    with _opened(library) as opened:
        gone = opened.forget(name)
    return answer({"forgotten": gone}, json, f"{gone} is no name any more")


@app.command
def pack(
    file: str, names: Many = None, *, licence: str = "", library: Place = None, json: Flag = False
) -> int:
    """Write records, with those that they were made from, into one file, to carry them to another library.

    Parameters
    ----------
    file
        The pack, such as digits.pern.
    names
        Names or patterns such as digits/*. Default: everything that has a name.
    licence
        Under which they are given away (SPDX name), where a record says none itself.
    """
    from dataclasses import asdict

    from perennial.library.pack import pack as write
    from perennial.modalities.base import counted

    with _opened(library) as opened:
        packed = write(opened, names or (), file, licence)
    text = (
        f"{counted(len(packed.names), 'name')} and {counted(len(packed.records), 'record')} written to {file}"
    )
    if packed.keeps_rows:
        text += f"\nrows that were learnt from are in it, scaled, kept by {', '.join(packed.keeps_rows)}"
    return answer({"pack": file, **asdict(packed)}, json, text)


@app.command
def unpack(file: str, *, licence: Many = None, library: Place = None, json: Flag = False) -> int:
    """Add what is in a pack, after everything in it was checked. Nothing in a pack can run code.

    Parameters
    ----------
    file
        The pack.
    licence
        Only accept records with this licence (SPDX name); repeat it for several.
    """
    from perennial.library.pack import add, inspect

    if not os.path.isfile(file):
        raise UsageError(f"There is no file {file!r}.")
    contents = inspect(file, licence)
    with _opened(library, new=True) as opened:
        names = add(opened, contents)
        say(f"{opened.store.place}: {len(names)} names from {file}")
    return answer({"pack": file, "names": names}, json, "\n".join(names))


def _table(rows: list[dict[str, Any]]) -> str:
    from perennial import report

    return report.table(rows)


@contextmanager
def _opened(place: str | None, new: bool = False) -> Iterator[Library]:
    """The library of a folder; only what adds to it may make a new one."""
    from perennial.library import Library, default_place
    from perennial.storages.sqlite import BLOBS, disk

    folder = Path(os.path.expanduser(place)) if place else default_place()
    parts = (disk.DATABASES["library"], disk.SNAPSHOTS, BLOBS)
    if not new and not any(os.path.exists(folder / part) for part in parts):
        raise UsageError(
            "There is no library here.",
            where=str(folder),
            todo="Check the path, or grow something: perennial grow DATA --library FOLDER",
        )
    with Library(folder) as library:
        yield library


def _row(line: Listed) -> dict[str, Any]:
    proof = next((each for each in line.evidence if each.role == "solution"), None)
    told = line.header.input
    return {
        "name": line.name,
        "kind": line.header.kind,
        "task": line.task.name if line.task else "",
        "input": told if len(told) <= SHOWN_TYPE else f"{told[: SHOWN_TYPE - 1]}…",
        "output": line.header.output,
        "metric": proof.metric if proof else "",
        "value": proof.value if proof else None,
        "evidence": len(line.evidence),
        "id": line.header.id[:12],
    }


def _text(told: dict[str, Any]) -> str:
    card = told["card"]
    lines = [told["program"], "", f"{told['kind']} {told['id'][:12]}: {told['input']} -> {told['output']}"]
    if told["weights"]:
        lines.append(f"{told['weights']} sets of weights")
    lines += [
        f"{name}: {value}" for name, value in card.items() if value and name not in ("golden", "made_with")
    ]
    for each in told["evidence"]:
        interval = (
            f" [{each['low']:.4g}, {each['high']:.4g}]" if None not in (each["low"], each["high"]) else ""
        )
        value = f"{each['value']:.4g}" if each["value"] is not None else "no value"
        gain = f", {each['gain']:+.4g} against scratch" if each["gain"] is not None else ""
        lines.append(f"{each['role']} on task {each['task'][:12]}: {each['metric']} {value}{interval}{gain}")
    lines += [f"{edge['child'][:12]} {edge['relation']} from {edge['parent'][:12]}" for edge in told["edges"]]
    return "\n".join(lines)
