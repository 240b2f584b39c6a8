"""Bad data through the command line: the right exit code, a sentence, no traceback, and no file left anywhere."""

import gzip

import pytest

GOOD = (
    "a,b,y\n"
    + "\n".join(
        f"{row * 0.7 % 5:.3f},{row * 1.3 % 7:.3f},{'no' if row * 0.7 % 5 < 2 else 'yes'}" for row in range(40)
    )
    + "\n"
)
BAD = {
    "row_01_empty": (b"", "no rows"),
    "row_02_header_only": (b"a,b,y\n", "row"),
    "row_03_one_row": (b"a,b,y\n1,2,no\n", "1 row"),
    "row_04_nothing_left": (b"a,y\n" + b"".join(b"5,%s\n" % (b"no", b"yes")[row % 2].ljust(3) for row in range(20)), "No column is left"),
    "row_06_constant_target": (GOOD.replace("yes", "no").encode(), "one value"),
    "row_07_holes": (GOOD.replace("yes", "", 3).encode(), "--drop-unlabelled"),
    "row_27_twins": (GOOD.replace("a,b,y", "a,a,y", 1).encode(), "a"),
    "row_36_ragged": (GOOD.replace("\n", ",extra,more\n", 5).replace(",extra,more", "", 1).encode(), "--skip-bad-lines"),
    "row_38_bytes": (GOOD.replace("yes", "ja\xdf").encode("latin-1"), "--encoding"),
    "row_39_quote": (GOOD.replace("yes", '"yes', 1).encode(), "quote"),
    "row_57_pickle": (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s.", "may run code"),
    "gzip_cut": (gzip.compress(GOOD.encode())[:-20], "gz"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_data_exit_with_3_and_leave_nothing_behind(name, command, tmp_path):
    content, hint = BAD[name]
    path = tmp_path / f"{name}.csv{'.gz' if name.startswith('gzip') else ''}"
    path.write_bytes(content)
    done = command(
        "grow", path, "--target", "y", "--time", "5s", "--out", "study", "--json", cwd=tmp_path, check=3
    )
    assert hint.lower() in done.stderr.lower() and not done.stdout
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_row_05_a_misspelt_target_exits_with_3_and_a_suggestion(command, tmp_path):
    (tmp_path / "t.csv").write_text(GOOD.replace("y\n", "outcome\n", 1))
    done = command("grow", "t.csv", "--target", "outcom", cwd=tmp_path, check=3)
    assert "'outcome'" in done.stderr


def test_row_44_to_46_new_rows_are_read_by_name_with_notes(grown, command, tmp_path):
    (tmp_path / "new.csv").write_text("sex,island\nMALE,Biscoe\n")
    done = command("predict", grown, "new.csv", "--output", "p.csv", cwd=tmp_path, check=3)
    assert "--impute-missing" in done.stderr and not (tmp_path / "p.csv").exists()


def test_row_58_odd_paths_work_from_reading_to_predicting(command, tmp_path):
    folder = tmp_path / "my data $HOME ünï"
    folder.mkdir()
    (folder / "-tab le'.csv").write_text(GOOD)
    command(
        "grow",
        folder / "-tab le'.csv",
        "--trials",
        "1",
        "--workers",
        "1",
        "--out",
        folder / "out put",
        cwd=tmp_path,
        check=0,
    )
    done = command("predict", folder / "out put", folder / "-tab le'.csv", cwd=tmp_path, check=0)
    assert len(done.stdout.splitlines()) == 41
    assert [each.name for each in tmp_path.iterdir()] == [folder.name]


@pytest.mark.parametrize("subject", ["folder", "/dev/zero"])
def test_row_59_what_is_no_regular_file_is_refused_at_once(subject, command, tmp_path):
    (tmp_path / "folder").mkdir()
    done = command("grow", subject, "--time", "5s", cwd=tmp_path, check=3, timeout=30)
    assert done.stderr and [each.name for each in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize(
    ("name", "hint"), [("~.csv", "no rows"), ("~nobody-is-called-so/x.csv", "There is no such file")]
)
def test_row_58_a_tilde_that_is_nobodys_home_is_a_name_like_others(name, hint, command, tmp_path):
    (tmp_path / "~.csv").write_text("a,b,y\n")
    done = command("grow", name, "--target", "y", "--time", "5s", "--no-library", cwd=tmp_path, check=3)
    assert hint in done.stderr and [each.name for each in tmp_path.iterdir()] == ["~.csv"]


def test_a_negative_seed_leaves_no_folder_behind(command, tmp_path):
    (tmp_path / "t.csv").write_text(GOOD)
    done = command("grow", "t.csv", "--target", "y", "--seed=-1", "--out", "study", cwd=tmp_path, check=2)
    assert "--seed 0" in done.stderr and [each.name for each in tmp_path.iterdir()] == ["t.csv"]
