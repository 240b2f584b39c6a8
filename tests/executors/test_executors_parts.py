"""Messages, the shared payload and the names of failures, each without a worker process."""

import os
import pickle
import socket
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.errors import DataError, Diverged, Rejected, UsageError, WorkerError
from perennial.executors import Future, Inline, Job
from perennial.executors.base import MESSAGE_LENGTH, TRACEBACK_LINES, call
from perennial.executors.processes.channel import NOTHING, NUMBER, Channel, decode, encode
from perennial.executors.processes.payload import Payload, portable, read


def fails(shared, *, error):
    """What a job does that fails."""
    raise error


def talks(shared, *, text):
    print(text)
    return shared


# -- messages --------------------------------------------------------------------------------------------------------

plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary()),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner), max_leaves=10,
)  # fmt: skip


@pytest.fixture
def ends():
    """Both ends of a channel: the first waits, the second does not."""
    links = socket.socketpair()
    channels = [Channel(link, waits=waits) for link, waits in zip(links, (True, False), strict=True)]
    yield channels
    for channel in channels:
        channel.close()


@given(plain)
def test_a_value_that_is_taken_apart_comes_together(value):
    assert decode([memoryview(bytes(part)) for part in encode(value)]) == value


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.zeros((0, 4)),
        np.array(3.5),
        np.arange(20.0)[::3],
        np.array([True, None], dtype=object),
    ],
)
def test_arrays_travel_beside_the_message_and_are_what_they_were(array):
    parts = encode({"array": array, "name": "ä"})
    found = decode(parts)
    assert (
        np.array_equal(found["array"], array) and found["array"].dtype == array.dtype and found["name"] == "ä"
    )
    if array.dtype != object and array.flags.c_contiguous and array.size:
        assert sum(part.nbytes for part in parts[1:]) == array.nbytes, "its memory is not in the pickled text"


def test_a_message_that_comes_in_crumbs_is_nothing_until_it_is_whole():
    raw, link = socket.socketpair()
    channel = Channel(link, waits=False)
    parts = [bytes(part) for part in encode([1, "two", b"3"])]
    message = b"".join(NUMBER.pack(number) for number in (len(parts), *map(len, parts))) + b"".join(parts)
    try:
        assert not channel.waiting()
        for place in range(len(message)):
            assert channel.receive() is NOTHING
            raw.send(message[place : place + 1])
        assert channel.waiting() and channel.receive() == [1, "two", b"3"] and channel.receive() is NOTHING
    finally:
        raw.close()
        channel.close()


def test_messages_keep_their_order_and_their_borders(ends):
    waits, polls = ends
    values = [None, "", [], "x" * 5000, {"a": np.arange(9)}]
    for value in values:
        waits.send(value)
    found = [polls.receive() for _ in values]
    assert (
        found[:4] == values[:4] and np.array_equal(found[4]["a"], np.arange(9)) and polls.receive() is NOTHING
    )


def test_a_sender_that_does_not_wait_keeps_what_the_other_end_does_not_take_yet(ends):
    waits, polls = ends
    large = np.random.default_rng(0).integers(0, 256, 4 * 2**20).astype(np.uint8)
    polls.send(large)
    assert polls.unsent, "four megabytes do not fit into a socket"
    found = []
    reader = threading.Thread(target=lambda: found.append(waits.receive()))
    reader.start()
    while polls.unsent:
        polls.flush()
    reader.join(timeout=30)
    assert np.array_equal(found[0], large)


def test_the_end_of_the_other_end_is_the_end_of_messages(ends):
    waits, polls = ends
    waits.close()
    waits.close()
    with pytest.raises(EOFError):
        polls.receive()
    with pytest.raises(OSError):
        for _ in range(3):
            polls.send("anybody there?")


# -- the shared payload ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"a": np.arange(1000).reshape(10, 100), "b": [np.zeros(3, np.float32), "text"]},
        (np.array([], int), b"x" * 65),
    ],
)
def test_a_payload_is_read_as_it_was_written(value):
    payload = Payload(value)
    try:
        assert os.fstat(payload.descriptor).st_size == payload.size
        assert repr(read(payload.descriptor, payload.size)) == repr(value)
    finally:
        payload.close()
        payload.close()
    assert payload.descriptor == -1


def test_what_one_reader_changes_the_others_do_not_see():
    payload = Payload(np.zeros(100))
    try:
        first, second = (read(payload.descriptor, payload.size) for _ in range(2))
        first += 1
        assert first.sum() == 100 and second.sum() == 0
        assert read(payload.descriptor, payload.size).sum() == 0
    finally:
        payload.close()


@pytest.mark.parametrize("value", [lambda: 1, threading.Lock(), (number for number in range(3))])
def test_what_cannot_travel_is_refused_with_what_can(value):
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    with pytest.raises(
        UsageError, match="What the workers share cannot be sent to another process"
    ) as caught:
        Payload(value)
    assert "top of a module" in caught.value.todo
    assert not before or len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(UsageError, match="The answer cannot be sent"):
        portable(value, "The answer")


# -- how failures are named ------------------------------------------------------------------------------------------

HERE = "test_executors_parts"


@pytest.mark.parametrize(
    ("error", "status", "what"),
    [
        (ValueError("no rows"), "failed", "ValueError: no rows"),
        (MemoryError(), "out_of_memory", "Out of memory."),
        (
            RuntimeError("CUDA error: Out Of Memory"),
            "out_of_memory",
            "RuntimeError: CUDA error: Out Of Memory",
        ),
        (OSError("Cannot allocate memory"), "out_of_memory", "OSError: Cannot allocate memory"),
        (ValueError("a memory of things"), "failed", "ValueError: a memory of things"),
        (SystemExit(3), "failed", "SystemExit: 3"),
        (Diverged("NaN.", where="step 3"), "diverged", "NaN."),
        (Rejected("Too large."), "rejected", "Too large."),
        (DataError("No rows.", todo="Add some."), "failed", "No rows."),
        (WorkerError("Gone.", status="crashed"), "crashed", "Gone."),
    ],
)
def test_every_failure_has_a_status_and_a_sentence(error, status, what):
    with pytest.raises(WorkerError) as caught:
        call(f"{HERE}:fails", None, {"error": error})
    assert (caught.value.status, caught.value.what) == (status, what)
    assert caught.value.todo == getattr(error, "todo", "")
    if not isinstance(error, Diverged | Rejected | WorkerError):
        assert "raise error" in caught.value.where and caught.value.where.count("\n") < TRACEBACK_LINES
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.status, str(again)) == (status, str(caught.value))


def test_a_long_message_is_cut():
    with pytest.raises(WorkerError) as caught:
        call(f"{HERE}:fails", None, {"error": ValueError("x" * 10_000)})
    assert len(caught.value.what) == MESSAGE_LENGTH


@pytest.mark.parametrize("function", ["no_such_module_here:f", "math:no_such_function"])
def test_a_function_that_is_not_there_fails_its_job(function):
    with pytest.raises(WorkerError) as caught:
        call(function, None, {})
    assert caught.value.status == "failed" and "no_such" in caught.value.what


def test_a_future_says_how_it_stands_and_gives_nothing_before_its_end():
    future = Future(Job("math:sqrt"))
    assert repr(future) == "Future(math:sqrt, running)"
    with pytest.raises(UsageError, match="has not ended yet"):
        future.result()
    future.finish(2.0, seconds=0.5, peak_memory=10)
    assert (future.result(), future.seconds, future.peak_memory, repr(future)) == (
        2.0,
        0.5,
        10,
        "Future(math:sqrt, done)",
    )
    failed = Future(Job("math:sqrt"))
    failed.finish(error=WorkerError("Slow.", status="over_budget"))
    assert failed.done and repr(failed) == "Future(math:sqrt, over_budget)"
    with pytest.raises(WorkerError, match="Slow"):
        failed.result()


def test_in_this_process_a_job_that_took_too_long_is_over_budget_and_prints_to_stderr(capsys):
    with Inline(shared="shared") as executor:
        done = executor.submit(Job(f"{HERE}:talks", {"text": "hello"}))
        late = executor.submit(Job(f"{HERE}:talks", {"text": "late"}, seconds=-1.0))
        assert executor.wait(0.0) == [done, late] and executor.wait(0.0) == []
    assert done.result() == "shared" and late.error.status == "over_budget"
    assert capsys.readouterr() == ("", "hello\nlate\n")
    with pytest.raises(UsageError, match="closed"):
        executor.submit(Job("math:sqrt"))
