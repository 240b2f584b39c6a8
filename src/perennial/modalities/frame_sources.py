"""Tables that Python already holds: data frames, dictionaries, lists, NumPy and SciPy arrays."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from perennial.errors import DataError
from perennial.modalities.frames import Frame, refuse_repeated_names
from perennial.modalities.values import column_of

DENSE_CELLS = 50_000_000
DEEPEST_STRUCT = 8


def frame_from(data: object) -> Frame:
    """A frame with the content of `data`.

    Args:
        data: a Frame (returned as it is), a path (read), a data frame or table of pandas, polars, pyarrow,
            modin or any library that narwhals knows, a series of one, a mapping of column name → values, a
            sequence of mappings (one per row), a sequence of rows, a NumPy array (1-d, 2-d, structured or
            masked), or a sparse SciPy matrix of at most 5·10⁷ cells. Columns of arrays are called "x0", "x1"
            and so on.

    Returns:
        A frame; nothing of `data` is changed. `origin["notes"]` says what was adapted (an index that became a
        column, mixed types that became text).

    Raises:
        DataError: repeated names, columns of different length, no columns, or a column that a table cannot
            hold, with the name of its type.

    >>> frame_from({"age": [31, None], "name": ["Ada", "?"]})
    Frame(2 rows: age float64, name object)
    >>> frame_from(np.zeros((3, 2)))
    Frame(3 rows: x0 float64, x1 float64)
    """
    if isinstance(data, Frame):
        return data
    if isinstance(data, (str, os.PathLike)):
        from perennial.modalities.reading import read_table

        return read_table(data)
    if isinstance(data, np.ndarray):
        return _from_array(data)
    if isinstance(data, Mapping):
        return _build(list(data), list(data.values()), "dict")
    if isinstance(data, (list, tuple)):
        return _from_rows(data)
    if _is_sparse(data):
        return _from_sparse(data)
    return _from_data_frame(data)


def _build(names: Sequence[object], columns: Sequence[object], kind: str, notes: Sequence[str] = ()) -> Frame:
    """A frame from raw columns; each is converted by its own values."""
    if not len(names):
        raise DataError("The table has no columns.", why="There is nothing to learn from.")
    texts = [name if isinstance(name, str) else str(name) for name in names]
    refuse_repeated_names(texts)
    values, tokens, all_notes = [], {}, list(notes)
    for name, column in zip(texts, columns, strict=True):
        if isinstance(column, (str, bytes)) or not hasattr(column, "__len__"):
            raise DataError(
                f"Column {name!r} must be a sequence of values, received {type(column).__name__}.",
                todo=f"Give one value per row, for example {{{name!r}: [1, 2, 3]}}.",
            )
        converted = column_of(column, name)
        values.append(converted.values)
        all_notes += converted.notes
        if converted.missing_tokens:
            tokens[name] = converted.missing_tokens
    return Frame(tuple(texts), tuple(values), {"format": kind, "notes": all_notes, "missing_tokens": tokens})


def _from_array(data: np.ndarray) -> Frame:
    if data.dtype.names:
        if data.ndim != 1:
            raise _wrong_shape(data.shape)
        return _build(data.dtype.names, [data[name] for name in data.dtype.names], "array")
    if data.ndim not in (1, 2):
        raise _wrong_shape(data.shape)
    columns = data[:, np.newaxis] if data.ndim == 1 else data
    return _build([f"x{index}" for index in range(columns.shape[1])], list(columns.T), "array")


def _wrong_shape(shape: tuple[int, ...]) -> DataError:
    return DataError(
        f"A table has one or two dimensions, received an array of shape {shape}.",
        todo="Images, series and volumes are data of their own kind: pass them as a task, not as a table.",
    )


def _from_rows(data: Sequence[object]) -> Frame:
    if not data:
        raise DataError("The table has no rows: an empty list was given.")
    if all(isinstance(row, Mapping) for row in data):
        names = list(dict.fromkeys(key for row in data for key in row))
        return _build(names, [[row.get(name) for row in data] for name in names], "rows")
    if all(isinstance(row, (list, tuple, np.ndarray)) for row in data):
        if any(np.shape(row) == () for row in data if isinstance(row, np.ndarray)):
            raise DataError(
                "A row must hold cells, received an array of shape ().",
                todo="Give one list of cells for each row, or one array of all values.",
            )
        widths = list(map(len, data))
        odd = next((number for number, width in enumerate(widths) if width != widths[0]), None)
        if odd is not None:
            raise DataError(
                "All rows must have the same number of cells: "
                f"row 0 has {widths[0]}, row {odd} has {widths[odd]}.",
                why="Cells would land in the wrong columns.",
            )
        return _build([f"x{index}" for index in range(widths[0])], list(zip(*data, strict=True)), "rows")
    if any(isinstance(row, (Mapping, list, tuple, np.ndarray)) for row in data):
        kinds = sorted({type(row).__name__ for row in data})
        raise DataError(
            f"A list of rows must hold rows of one kind, received {', '.join(kinds)}.",
            todo="Give every row as a dictionary with the column names as keys.",
        )
    return _build(["x0"], [list(data)], "rows")


def _is_sparse(data: object) -> bool:
    return type(data).__module__.startswith("scipy.sparse") and hasattr(data, "toarray")


def _from_sparse(data) -> Frame:
    cells = int(np.prod(data.shape, dtype=np.int64))
    if cells > DENSE_CELLS:
        raise DataError(
            f"The sparse matrix of shape {data.shape} would need {cells} cells when written out.",
            why=f"A table keeps every cell in memory; the limit is {DENSE_CELLS}.",
            todo="Reduce the columns first, for example with sklearn.decomposition.TruncatedSVD.",
        )
    return _from_array(np.asarray(data.toarray()))


def _from_data_frame(data: object) -> Frame:
    import narwhals as nw

    try:
        native = nw.from_native(data, allow_series=True)
    except TypeError:
        raise DataError(
            f"Expected a table, received {type(data).__module__}.{type(data).__qualname__}.",
            todo="Give a path, a data frame, a dictionary of columns, a list of dictionaries or an array.",
        ) from None
    except (nw.exceptions.NarwhalsError, ValueError) as error:
        _refuse_repeated_columns(data)
        raise DataError(
            f"The data frame cannot be used: {str(error).strip().splitlines()[0][:200]}"
        ) from None
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    kind = native.implementation.name.lower()
    if isinstance(native, nw.Series):
        return _build([native.name if native.name is not None else "x0"], [_series(native)], kind)
    names = list(native.columns)
    _refuse_stacked_names(names)
    refuse_repeated_names([str(name) for name in names])
    added_names, added_columns, notes = _index_columns(data, kind, names)
    columns = {name: _series(native[name]) for name in names}
    flat_names, flat_columns = [*added_names], [*added_columns]
    for name, column in columns.items():
        for part_name, part in _flattened(str(name), column):
            flat_names.append(part_name)
            flat_columns.append(part)
    if not native.shape[0]:
        raise DataError(
            "The data frame has columns but no rows.", where=f"columns {', '.join(map(str, names[:10]))}"
        )
    return _build(flat_names, flat_columns, kind, notes)


def _refuse_repeated_columns(data: object) -> None:
    names = getattr(data, "column_names", getattr(data, "columns", None))
    if names is not None and not callable(names):
        refuse_repeated_names([str(name) for name in names])


def _refuse_stacked_names(names: Sequence[object]) -> None:
    stacked = next((name for name in names if isinstance(name, tuple)), None)
    if stacked is not None:
        raise DataError(
            f"A column needs one name, not several levels (MultiIndex), for example {stacked!r}.",
            todo='Join them first: frame.columns = [" ".join(map(str, name)) for name in frame.columns]',
        )


def _index_columns(
    data: object, kind: str, names: Sequence[object]
) -> tuple[list[str], list[np.ndarray], list[str]]:
    """A named pandas index is data: it becomes columns, unless a column of that name is there already."""
    index = getattr(data, "index", None)
    if kind not in ("pandas", "modin", "cudf") or index is None or not hasattr(index, "names"):
        return [], [], []
    added_names, columns, notes = [], [], []
    for level, name in enumerate(index.names):
        if name is None:
            continue
        if name in names:
            notes.append(f"The index is named like the column {str(name)!r} and was left out.")
            continue
        values = index.get_level_values(level)
        added_names.append(str(name))
        columns.append(_series_of_index(values))
        notes.append(f"The index {str(name)!r} became a column.")
    return added_names, columns, notes


def _series_of_index(values) -> object:
    import narwhals as nw

    return _series(nw.from_native(values.to_series().reset_index(drop=True), series_only=True))


def _series(series) -> object:
    """The values of a narwhals series as an array, or as a list where there is no plain array."""
    import narwhals as nw

    dtype = series.dtype
    if isinstance(dtype, (nw.Categorical, nw.Enum)):
        return series.to_list()
    if isinstance(dtype, nw.Datetime) and dtype.time_zone:
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        dtype = series.dtype
    if isinstance(dtype, (nw.Datetime, nw.Date)) and not series.is_null().any():
        return series.to_numpy().astype("datetime64[us]")
    if dtype.is_float() or (
        (dtype.is_integer() or isinstance(dtype, nw.Boolean)) and not series.is_null().any()
    ):
        array = series.to_numpy()
        if array.dtype != object:
            return array
    return series.to_list()


def _flattened(name: str, column: object, depth: int = 0) -> list[tuple[str, object]]:
    """A column of structs (dictionaries) becomes one column per field."""
    if isinstance(column, np.ndarray) or depth >= DEEPEST_STRUCT:
        return [(name, column)]
    first = next((value for value in column if value is not None), None)
    if not isinstance(first, dict):
        return [(name, column)]
    keys = dict.fromkeys(key for value in column if isinstance(value, dict) for key in value)
    parts = []
    for key in keys:
        inner = [value.get(key) if isinstance(value, dict) else None for value in column]
        parts += _flattened(f"{name}.{key}", inner, depth + 1)
    return parts
