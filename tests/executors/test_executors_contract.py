"""Every executor on the shelf keeps the promises of its base."""

import inspect

import pytest

from perennial import executors
from perennial.executors import Executor
from perennial.testing.executors import check_executor, check_isolation

MEMBERS = {
    name: member
    for name, member in vars(executors).items()
    if inspect.isclass(member) and issubclass(member, Executor) and not inspect.isabstract(member)
}
HOW_TO_MAKE = {
    "Inline": executors.Inline,
    "Processes": lambda shared: executors.Processes(2, shared=shared),
}
SAME_PROCESS = {"Inline": "runs in this process, where nothing can be killed"}


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_an_executor_keeps_its_promises(name):
    check_executor(HOW_TO_MAKE[name])


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_an_executor_isolates_its_jobs(name):
    if name in SAME_PROCESS:
        pytest.skip(SAME_PROCESS[name])
    check_isolation(HOW_TO_MAKE[name])


def test_a_job_must_name_a_module_and_a_function():
    from perennial.errors import UsageError

    for wrong in ("nothing", ":name", "module:", "__main__:function"):
        with pytest.raises(UsageError):
            executors.Job(wrong)
