"""Every command and every Python block of the tutorial and the concept pages runs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "docs" / "tutorial.md",
    *sorted((ROOT / "docs" / "concepts").glob("*.md")),
    *sorted((ROOT / "docs" / "shelves").glob("*.md")),
]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "examples", folder / "examples")
    return folder


def test_the_commands_of_the_tutorial_run(workplace):
    for block in blocks(ROOT / "docs" / "tutorial.md", "console"):
        for line in block.splitlines():
            if line.startswith("$ perennial "):
                arguments = shlex.split(line.removeprefix("$ perennial "))
                done = subprocess.run(
                    [sys.executable, "-m", "perennial", *arguments],
                    cwd=workplace,
                    capture_output=True,
                    text=True,
                )
                assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert (workplace / "predictions.csv").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page, workplace):
    for code in blocks(page, "python"):
        done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=workplace, capture_output=True, text=True,
                              env={**os.environ, "PYTHONWARNINGS": "error"})  # fmt: skip
        assert done.returncode == 0, f"{page.name}\n{code}\n{done.stderr}"


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_an_example_runs(example, workplace):
    done = subprocess.run(
        [sys.executable, str(workplace / "examples" / example.name)],
        cwd=workplace,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_links_between_pages_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert target.startswith("http") or (page.parent / target).exists(), (
                f"{page.name} links to {target}"
            )
