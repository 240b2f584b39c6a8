"""What a study knows: `status stop board report show explain`."""

from __future__ import annotations

import os

from perennial.cli.answers import answer
from perennial.cli.app import Flag, app
from perennial.cli.studies import find_study, history_of, model_of, too_young
from perennial.errors import StoreError


@app.command
def status(study: str, *, json: Flag = False) -> int:
    """Where a study stands: step, time, trials, best against baseline, and how well the workers were used."""
    from perennial import report

    figures = report.status(history_of(study))
    return answer(figures, json, "\n".join(f"{name}: {value}" for name, value in figures.items()))


@app.command
def stop(study: str, *, json: Flag = False) -> int:
    """Ask a growing study to stop cleanly: it saves the best so far and can go on later."""
    import signal
    import socket

    from perennial.storages import holder

    folder = find_study(study)
    found = holder(folder)
    if found is None:
        return answer({"stopped": False}, json, "Nobody is growing this study.")
    if found["host"] != socket.gethostname():
        raise StoreError(
            "Another machine is growing this study; its processes cannot be reached from here.",
            where=f"{folder}: process {found['pid']} on {found['host']}, since {found['since']}",
            todo=f"Log in to {found['host']} and run there: perennial stop {folder}",
        )
    try:
        os.kill(found["pid"], signal.SIGTERM)
    except OSError as error:
        raise StoreError(
            f"Process {found['pid']} cannot be asked to stop: {error.strerror}.",
            where=str(folder),
            todo="Run the command as the user who grows the study.",
        ) from None
    return answer({"stopped": True, **found}, json, f"Asked process {found['pid']} to save and stop.")


@app.command
def board(study: str, *, top: int = 20, json: Flag = False) -> int:
    """The leaderboard: candidates by validation score, with time, kind and ancestors.

    Parameters
    ----------
    top
        How many rows.
    """
    from perennial import report

    history = history_of(study)
    rows = (report.programs if history.found else report.board)(history)[:top]
    return answer(rows, json, report.table(rows))


@app.command(name="report")
def report_(study: str, *, json: Flag = False) -> int:
    """Write the HTML report and the model card again from the journal, and say where they are."""
    from perennial import report

    folder, history = find_study(study), history_of(study)
    if history.sensed.get("modality") == "examples":
        from perennial import program_files

        path = program_files.write_report(model_of(study), folder)
        return answer({"report": str(path)}, json, str(path))
    if not history.protocol:
        raise too_young("nothing to report", folder)
    paths = report.write(history, folder)
    return answer({"report": str(paths[0]), "card": str(paths[1])}, json, str(paths[0]))


@app.command
def show(study: str, *, json: Flag = False) -> int:
    """Print the program that was chosen, as readable Python."""
    current = history_of(study).current
    if current is None:
        raise too_young("no program", find_study(study))
    source = current["program"]
    return answer({"program": source}, json, source)


@app.command
def explain(study: str, *, json: Flag = False) -> int:
    """Why: what was sensed and decided, which columns matter, where the model errs."""
    from perennial import report

    figures, text = report.explanation(history_of(study))
    return answer(figures, json, text)
