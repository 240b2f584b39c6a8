"""Where images come from, when it is odd: archives, IDX files, tables beside them, arrays of several parts."""

import json
import os
import struct
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from perennial.errors import DataError, UnreadableData, UnsafeData, UsageError
from perennial.modalities.frames import Frame
from perennial.modalities.images import trees
from perennial.modalities.images.labels import ImageSet, images_in
from perennial.modalities.images.pictures import Frames, Stack
from perennial.modalities.images.sources import images_of, is_images, labelled_sets, unpacked_table
from perennial.modalities.images.trees import tree_of
from perennial.modalities.images.wishes import ImageWishes, size_of
from perennial.task import Task

ROWS = 12
GENERATOR = np.random.default_rng(8)
PIXELS = GENERATOR.integers(0, 256, (ROWS, 8, 8)).astype(np.uint8)
CODES = (np.arange(ROWS) % 2).astype(np.uint8)


def idx(path, array):
    """Writes bytes as an IDX file."""
    path.write_bytes(struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())
    return path


def archive(path, *members):
    """A zip archive of members with that content."""
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in members:
            packed.writestr(name, content)
    return path


@pytest.fixture(scope="module")
def png(tmp_path_factory):
    """The bytes of a small image."""
    path = tmp_path_factory.mktemp("png") / "x.png"
    Image.fromarray(PIXELS[0]).save(path)
    return path.read_bytes()


@pytest.fixture
def place(tmp_path, png):
    """Makes a folder of images and other files: names of images, and texts by name."""

    def make(*images, **texts):
        for name in images:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            image = GENERATOR.integers(0, 256, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(image).save(path)
        for name, text in texts.items():
            (tmp_path / name.replace("_", ".")).write_text(
                text if isinstance(text, str) else json.dumps(text)
            )
        return tmp_path

    return make


def refused(call, *parts, kind=DataError):
    with pytest.raises(kind) as caught:
        call()
    for part in parts:
        assert part in str(caught.value), f"{part!r} is missing in:\n{caught.value}"


# -- arrays of several parts -------------------------------------------------------------------------------------------


def parts(*names):
    return {f"{axis}_{name}": array for name in names for axis, array in (("x", PIXELS), ("y", CODES))}


def test_the_validation_part_is_learnt_from_beside_a_test_and_is_the_test_without_one():
    both = labelled_sets(parts("train", "val", "test"), None, {})
    assert (both["train"].rows, both["test"].rows) == (2 * ROWS, ROWS)
    assert np.array_equal(both["train"].about.column("target"), np.concatenate([CODES, CODES]))
    assert np.array_equal(both["train"].pictures.array[ROWS:, ..., 0], PIXELS)
    assert "12 images of the validation part" in both["train"].findings[-1].what
    alone = labelled_sets(parts("train", "val"), None, {})
    assert (alone["train"].rows, alone["test"].rows) == (ROWS, ROWS)


def test_images_to_predict_are_the_test_part_of_a_file_with_several(tmp_path):
    np.savez(tmp_path / "x.npz", **(parts("train") | {"x_test": PIXELS[:3], "y_test": CODES[:3]}))
    found = images_of(tmp_path / "x.npz")
    assert (found.rows, found.about.column("target").tolist()) == (3, CODES[:3].tolist())
    np.savez(tmp_path / "y.npz", images=PIXELS, names=np.arange(ROWS))
    assert images_of(tmp_path / "y.npz").rows == ROWS
    np.save(tmp_path / "z.npy", PIXELS)
    assert images_of(tmp_path / "z.npy").rows == ROWS


@pytest.mark.parametrize(
    ("shape", "channels", "count"),
    [((8, 8), None, 1), ((8, 9, 3), 3, 1), ((3, 8, 9), 3, 1), ((8, 9, 1), 1, 1), ((6, 8, 9), 1, 6), ((6, 8, 9, 3), 3, 6)],
)  # fmt: skip
def test_one_image_alone_is_a_batch_of_one(shape, channels, count):
    assert images_of(np.zeros(shape), channels).rows == count


def test_pairs_sets_and_dictionaries_give_their_images():
    known = ImageSet(Stack(PIXELS[..., None]))
    assert (
        images_of(known) is known and labelled_sets(known, None, {}) == {"train": known} and is_images(known)
    )
    assert images_of((PIXELS, CODES)).rows == images_of({"x": PIXELS}).rows == ROWS
    assert images_of([Image.fromarray(PIXELS[0])]).rows == images_of(Image.fromarray(PIXELS[0])).rows == 1


def test_images_without_targets_cannot_be_learnt_from():
    refused(lambda: labelled_sets(PIXELS, None, {}), "(12, 8, 8)", "Pass a pair", kind=UsageError)


def test_a_file_of_rows_is_a_table_and_a_test_that_was_named_wins(tmp_path):
    np.savez(tmp_path / "rows.npz", **{name: array[:, 0] if array.ndim > 1 else array for name, array in parts("train", "test").items()})  # fmt: skip
    np.savez(tmp_path / "images.npz", **parts("train"))
    (x, y), test = unpacked_table(tmp_path / "rows.npz", None)
    assert x.shape == (ROWS, 8) and y.shape == (ROWS,) and test[0].shape == (ROWS, 8)
    assert unpacked_table(tmp_path / "rows.npz", "mine")[1] == "mine"
    assert unpacked_table(tmp_path / "images.npz", None) == (tmp_path / "images.npz", None)
    assert unpacked_table({"a": [1]}, None) == ({"a": [1]}, None)


@pytest.mark.parametrize(
    "data",
    ["\0", "no/such/file", 5, {"a": [1]}, [], np.zeros((5, 5)), ([1, 2], [3, 4]), ([], []), Frame(("a",), (CODES,))],
    ids=["nul", "no file", "number", "columns", "nothing", "matrix", "lists", "empty", "frame"],
)  # fmt: skip
def test_what_holds_no_images_is_not_taken_for_them(data):
    assert not is_images(data)


@pytest.mark.parametrize(
    ("old", "new", "kind", "said"),
    [
        (b"(12, 8, 8), }      ", b"(12, 8, 8000000), }", UnsafeData, "An array claims 768000000 bytes"),
        (b"'|u1'", b"'|O1'", UnreadableData, "cannot be read"),
        (b"'|u1'", b"'|zz'", UnreadableData, "cannot be read"),
        (PIXELS.tobytes()[-9:], b"", UnreadableData, "cannot be read"),
    ],
    ids=["huge", "objects", "no type", "short"],
)  # fmt: skip
def test_arrays_in_a_damaged_file_are_refused(tmp_path, old, new, kind, said):
    path = tmp_path / "x.npy"
    np.save(path, PIXELS)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    refused(lambda: images_of(path), said, "x.npy", kind=kind)


# -- IDX files ---------------------------------------------------------------------------------------------------------


def test_idx_files_alone_are_images_to_predict_and_need_labels_to_learn_from(tmp_path):
    path = idx(tmp_path / "train-images-idx3-ubyte", PIXELS)
    assert is_images(path) and images_of(path).rows == images_of(tmp_path).rows == ROWS
    refused(lambda: labelled_sets(path, None, {}), "no labels beside these images", "train-labels-idx1-ubyte")
    idx(tmp_path / "train-labels-idx1-ubyte", CODES)
    for found in (labelled_sets(path, None, {})["train"], images_of(path), images_of(tmp_path)):
        assert np.array_equal(found.about.column("label"), CODES)


def test_an_idx_file_of_labels_holds_no_images(tmp_path):
    path = idx(tmp_path / "train-labels-idx1-ubyte", CODES)
    refused(lambda: labelled_sets(path, None, {}), "holds no images", "Pass the file of images")


def test_a_folder_with_a_test_alone_is_learnt_from_and_two_of_a_part_are_refused(tmp_path):
    idx(tmp_path / "t10k-images-idx3-ubyte", PIXELS)
    idx(tmp_path / "t10k-labels-idx1-ubyte", CODES)
    assert list(labelled_sets(tmp_path, None, {})) == ["train"]
    for name in ("a-images-idx3-ubyte", "b-images-idx3-ubyte"):
        idx(tmp_path / name, PIXELS)
        idx(tmp_path / name.replace("images", "labels").replace("idx3", "idx1"), CODES)
    refused(lambda: labelled_sets(tmp_path, None, {}), "several IDX files", "a-images-idx3-ubyte")


@pytest.mark.parametrize(
    "content", [b"\0\0", b"\0\0\x08\x03", b"\0\0\x07\x03" + bytes(30), b"\0\0\x08\x09" + bytes(30)]
)
def test_files_that_merely_begin_like_idx_are_no_images(tmp_path, content):
    (tmp_path / "x-idx3-ubyte").write_bytes(content)
    assert not is_images(tmp_path / "x-idx3-ubyte")


# -- archives and folders ----------------------------------------------------------------------------------------------


def test_an_archive_of_images_is_seen_by_its_names_and_office_files_are_none(tmp_path, png):
    assert is_images(archive(tmp_path / "a.zip", ("cat/1.png", png)))
    assert not is_images(archive(tmp_path / "b.zip", ("xl/media/1.png", png)))
    assert not is_images(archive(tmp_path / "c.zip", ("readme.txt", "hello")))
    assert images_of(tmp_path / "a.zip").about.column("class").tolist() == ["cat"]


@pytest.mark.parametrize(
    "name", ["../x.png", "/x.png", "a/../../x.png", "C:/x.png", "\\x.png", "a\\..\\x.png"]
)
def test_archives_that_reach_out_of_their_root_are_refused(tmp_path, png, name):
    path = archive(tmp_path / "x.zip", (name, png))
    refused(lambda: tree_of(path), "lies outside of it", "Nothing was written", kind=UnsafeData)


def test_a_damaged_member_is_a_broken_image_and_a_damaged_archive_is_unreadable(tmp_path, png):
    path = archive(tmp_path / "x.zip", ("a/1.png", png), ("a/2.png", png))
    content = bytearray(path.read_bytes())
    content[content.index(png) + 20] ^= 255
    path.write_bytes(content)
    broken = images_of(path).pictures.survey().broken
    assert list(broken) == [0] and broken[0].startswith("cannot be unpacked")
    path.write_bytes(b"PK\x03\x04 and nothing else")
    refused(lambda: tree_of(path), "The zip archive cannot be read", kind=UnreadableData)


@pytest.mark.parametrize(
    ("limit", "value", "said"), [("MOST_FILES", 1, "2 members"), ("LARGEST_BYTES", 10, "bytes are too many")]
)
def test_archives_over_the_limits_are_refused(tmp_path, png, monkeypatch, limit, value, said):
    monkeypatch.setattr(trees, limit, value)
    path = archive(tmp_path / "x.zip", ("a/1.png", png), ("a/2.png", png))
    if limit == "MOST_FILES":
        refused(lambda: tree_of(path), said, kind=UnsafeData)
    else:
        assert said in images_of(path).pictures.survey().broken[0]


def test_a_folder_of_too_many_files_is_refused(place, monkeypatch):
    monkeypatch.setattr(trees, "MOST_FILES", 1)
    root = place("a/1.png", "b/2.png")
    refused(lambda: tree_of(root), "more than 1 files")


def test_an_image_that_cannot_be_opened_is_told_like_a_broken_one(place, tmp_path_factory):
    root = place("a/1.png", "b/2.png", "b/3.png")
    images = images_of(root)
    outside = (root / "a" / "1.png").rename(tmp_path_factory.mktemp("outside") / "1.png")
    (root / "a" / "1.png").symlink_to(outside)
    (root / "b" / "2.png").unlink()
    broken = images.pictures.survey().broken
    assert list(broken) == [0, 1] and all(why.startswith("cannot be opened: ") for why in broken.values())
    assert images.pictures.decode(Frames((8, 8), 3, "pad")).broken == broken


def test_a_file_that_cannot_be_read_is_named(place):
    (entry, *_) = tree_of(place("a/1.png", "b/2.png")).entries
    gone = replace(entry, parts=("a", "picture"))
    place().joinpath("a", "1.png").unlink()
    refused(
        gone.is_image, "A file cannot be read: No such file", "a/picture", "permissions", kind=UnreadableData
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every file")
def test_files_without_permission_are_no_traceback(place):
    root = place("a/1.png", "b/2.png", "b/3.png")
    path = root / "a" / "1.png"
    path.chmod(0)
    refused(lambda: Task.from_data(root), "1 of 3 images cannot be read", "Permission denied")
    refused(lambda: images_of(path), "The file cannot be read: Permission denied", kind=UnreadableData)


def test_a_file_that_was_exchanged_for_a_link_is_not_followed(place, tmp_path_factory):
    root = place("a/1.png", "b/2.png")
    (entry, _) = tree_of(root).entries
    secret = tmp_path_factory.mktemp("outside") / "secret.png"
    secret.write_bytes(b"secret")
    (root / "a" / "1.png").unlink()
    (root / "a" / "1.png").symlink_to(secret)
    with pytest.raises(OSError):
        entry.open()


def test_the_tree_of_a_folder_knows_its_parts_without_junk(place):
    tree = tree_of(place("a/1.png", "b/c/2.png", "a/.hidden/3.png", "x.png"))
    assert [entry.name for entry in tree.entries] == ["a/1.png", "b/c/2.png", "x.png"]
    assert tree.top == ("a", "b") and [entry.name for entry in tree.files()] == ["x.png"]
    assert [entry.name for entry in tree.under("b").entries] == ["c/2.png"]
    assert tree.under("b").top == ("c",)


def test_a_folder_without_images_names_the_table_that_may_be_meant(place):
    root = place(data_csv="a,b\n1,2\n")
    refused(lambda: images_in(tree_of(root)), "No file in this folder is an image", "data.csv")


# -- tables beside the images ------------------------------------------------------------------------------------------

NAMES = [f"{number}.png" for number in range(6)]


@pytest.mark.parametrize(
    ("told", "target"),
    [
        ({name: number for number, name in enumerate(NAMES)}, [0, 1, 2, 3, 4, 5]),
        ({name: {"size": number, "kind": "x"} for number, name in enumerate(NAMES)}, [0, 1, 2, 3, 4, 5]),
        ([{"file": name, "size": number} for number, name in enumerate(NAMES)], [0, 1, 2, 3, 4, 5]),
    ],
    ids=["labels", "records", "rows"],
)
def test_json_beside_the_images_may_have_several_forms(place, told, target):
    about = labelled_sets(place(*NAMES, about_json=told), None, {})["train"].about
    assert about.columns[0].tolist() == target


@pytest.mark.parametrize(
    "text",
    ["{", "[1, 2]", json.dumps({name: [{"a": 1}] if name == "0.png" else {"b": 1} for name in NAMES}), "{}"],
)
def test_files_beside_the_images_that_are_no_tables_are_passed_over(place, text):
    refused(lambda: labelled_sets(place(*NAMES, about_json=text), None, {}), "nothing says what they show")


def test_tables_of_other_things_are_passed_over_and_two_of_the_images_are_refused(place):
    rows = "file,size\n" + "\n".join(f"{name},{number}" for number, name in enumerate(NAMES))
    root = place(*NAMES, prices_csv="item,price\na,90\nb,70\n", about_csv=rows)
    assert labelled_sets(root, None, {})["train"].about.names == ("size",)
    place(more_csv=rows)
    refused(lambda: labelled_sets(root, None, {}), "Several tables name the images", "about.csv and more.csv")


def test_a_table_that_says_nothing_about_the_images_is_refused(place):
    root = place(*NAMES, about_csv="file\n" + "\n".join(NAMES))
    refused(lambda: labelled_sets(root, None, {}), "says nothing about them")


def test_paths_in_a_table_may_be_written_in_any_way(place):
    names = [f"pictures/{name}" for name in NAMES]
    written = [
        "./pictures/0.png",
        "pictures\\1.png",
        "2.png",
        "3",
        "/somewhere/else/4.png",
        " pictures/5.png ",
    ]
    root = place(
        *names, about_csv="file,size\n" + "\n".join(f"{name},{row}" for row, name in enumerate(written))
    )
    images = labelled_sets(root, None, {})["train"]
    assert images.pictures.names.tolist() == names and images.about.column("size").tolist() == list(range(6))


# -- tasks and wishes --------------------------------------------------------------------------------------------------


def test_a_test_that_was_named_wins_over_the_one_in_the_data_and_that_is_told(place):
    data = parts("train", "test") | {"x_train": PIXELS, "x_test": 255 - PIXELS}
    task = Task.from_data(data, test=(255 - PIXELS[:4], CODES[:4]))
    assert task.test.rows == 4
    assert any("it is not used" in finding.what for finding in task.findings)


def test_test_images_without_a_target_are_refused_or_left_out():
    labels = np.array(["a", "b"] * 6, dtype=object)
    holes = np.array(["a", None, "b", "a"], dtype=object)
    test = (255 - PIXELS[:4], holes)
    refused(lambda: Task.from_data((PIXELS, labels), test=test), "missing or infinite in 1 of 4 rows")
    assert Task.from_data((PIXELS, labels), test=test, drop_unlabelled=True).test.target.tolist() == [0, 1, 0]


def test_true_values_need_a_word_on_every_image(place):
    schema = Task.from_data(place(*(f"{label}/{number}.png" for label in "ab" for number in range(3)))).schema
    assert schema.encode_target(place()).tolist() == [0, 0, 0, 1, 1, 1]
    refused(lambda: schema.encode_target(PIXELS), "Nothing says what these images show")
    refused(lambda: schema.encode_target(place("loose.png")), "missing or infinite in 1 of 7 rows")


@pytest.mark.parametrize(("text", "size"), [(None, None), ("64", 64), ("48x64", (48, 64)), ("48×64", (48, 64)), (" 8 X 9 ", (8, 9))])  # fmt: skip
def test_a_size_is_one_number_or_two(text, size):
    assert size_of(text) == size and ImageWishes(size_of(text)).size == size


@pytest.mark.parametrize("size", [True, 2.5, (1, 2, 3), (True, 8), (8, 2.0), "64", 3, 1025])
def test_a_size_of_another_kind_is_refused(size):
    refused(lambda: ImageWishes(size), "A size is one number or HEIGHTxWIDTH", repr(size), kind=UsageError)


@pytest.mark.parametrize("wish", [{"size": 8}, {"fit": "crop"}, {"skip_bad": True}])
def test_wishes_about_images_mean_nothing_to_a_table(wish):
    refused(ImageWishes(**wish).refuse_for_tables, "The data are a table", kind=UsageError)
