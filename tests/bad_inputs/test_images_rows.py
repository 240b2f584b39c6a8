"""Images that are not what they seem: one named test for each row of the catalogue of bad inputs, 47 to 51."""

import os
import stat
import struct
import time
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from perennial.errors import DataError, PerennialError, UnsafeData
from perennial.task import Task


def found(task, code):
    return [finding for finding in task.findings if finding.code == code]


def refused_by_the_command_line(command, folder, *parts):
    """`perennial grow` stops before training with exit code 3, and leaves nothing outside the study folder."""
    before = sorted(path.name for path in folder.parent.iterdir())
    start = time.monotonic()
    done = command(
        "grow", folder, "--time", "5s", "--out", folder.parent / "study", cwd=folder.parent, check=3
    )
    assert time.monotonic() - start < 20
    for part in parts:
        assert part in done.stderr, f"{part!r} is missing in:\n{done.stderr}"
    assert set(path.name for path in folder.parent.iterdir()) - set(before) <= {"study"}


def spoil(path, how):
    data = path.read_bytes()
    spoilt = {
        "truncated": data[: len(data) // 2],
        "empty": b"",
        "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "zeros": bytes(len(data)),
        "text": b"this is no image",
    }
    path.write_bytes(spoilt[how])


WAYS = ["truncated", "empty", "html", "zeros", "text"]


# -- row 47: truncated, 0 bytes, HTML named .jpg, wrong extension --------------------------------------------------------


@pytest.mark.parametrize("how", WAYS)
def test_row_47_one_broken_image_in_a_hundred_is_left_out_and_listed(class_folders, how):
    root = class_folders(images=60, size=(12, 12))
    spoil(root / "cat" / "003.png", how)
    task = Task.from_data(root)
    assert task.rows == 119 and np.bincount(task.target).tolist() == [59, 60]
    (finding,) = found(task, "broken images")
    assert finding.level == "warning" and "cat/003.png" in finding.where and finding.action


@pytest.mark.parametrize("how", WAYS)
def test_row_47_more_broken_images_are_an_error_that_lists_them(class_folders, how):
    root = class_folders(images=10)
    for number in range(3):
        spoil(root / "dog" / f"00{number}.png", how)
    with pytest.raises(DataError, match="3 of 20 images cannot be read") as caught:
        Task.from_data(root)
    assert "dog/000.png" in caught.value.where and "--skip-bad-images" in caught.value.todo
    assert Task.from_data(root, skip_bad_images=True).rows == 17


def test_row_47_broken_images_stop_the_command_line_with_exit_code_3(class_folders, command):
    root = class_folders(images=10)
    for number, how in enumerate(WAYS):
        spoil(root / "dog" / f"00{number}.png", how)
    refused_by_the_command_line(
        command, root, "At least 4 of 20", "dog/001.png (an empty file", "HTML", "--skip-bad-images"
    )


def test_row_47_a_folder_of_broken_images_only_is_an_error_even_if_they_may_be_skipped(class_folders):
    root = class_folders(images=3)
    for path in root.rglob("*.png"):
        spoil(path, "text")
    with pytest.raises(DataError, match="6 of 6"):
        Task.from_data(root, skip_bad_images=True)


def test_row_47_a_wrong_extension_does_not_matter(class_folders):
    root = class_folders(images=8)
    plain = Task.from_data(root)
    for number, suffix in enumerate((".jpg", ".gif", ".tiff", ".txt", ".data", "", ".jpeg.part", ".webp")):
        (root / "cat" / f"00{number}.png").rename(root / "cat" / f"00{number}{suffix}")
    renamed = Task.from_data(root)
    assert np.array_equal(renamed.argument, plain.argument) and not found(renamed, "broken images")


def test_row_47_broken_images_in_the_test_part_follow_the_same_rule(class_folders):
    root, later = class_folders(images=10), class_folders("later", images=60, size=(12, 12))
    spoil(later / "cat" / "000.png", "truncated")
    assert Task.from_data(root, test=later).test.rows == 119
    for number in range(10):
        spoil(later / "cat" / f"00{number}.png", "html")
    with pytest.raises(DataError, match="10 of 120"):
        Task.from_data(root, test=later)


# -- row 48: bombs, extreme sizes, 16 bits, CMYK, palettes with transparency, animations, EXIF ----------------------------


def png_claiming(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(10**6))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(100_000, 100_000), (1, 100_000), (100_000, 1), (20_000, 20_000)])
def test_row_48_a_decompression_bomb_is_an_error_by_its_header_alone(class_folders, size):
    root = class_folders(images=100, size=(8, 8))
    (root / "cat" / "bomb.png").write_bytes(png_claiming(*size))
    with pytest.raises(UnsafeData) as caught:
        Task.from_data(root)
    assert "cat/bomb.png" in caught.value.where and caught.value.exit_code == 3
    with pytest.raises(UnsafeData):
        Task.from_data(root, skip_bad_images=True)


def test_row_48_a_bomb_stops_the_command_line_with_exit_code_3(class_folders, command):
    root = class_folders(images=5)
    (root / "cat" / "bomb.png").write_bytes(png_claiming(100_000, 100_000))
    refused_by_the_command_line(command, root, "bomb.png", "fill the memory")


def test_row_48_a_zip_bomb_of_images_is_an_error_and_nothing_is_written(tmp_path, command):
    folder = tmp_path / "data"
    folder.mkdir()
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/a.bmp", b"BM" + bytes(30 * 2**20))
        archive.writestr("dog/a.bmp", b"BM" + bytes(30 * 2**20))
    with zipfile.ZipFile(folder / "bomb.zip") as archive:
        infos = archive.infolist()
    for info in infos:
        info.file_size = 5 * 2**30
    from perennial.modalities.images import trees

    with pytest.raises(UnsafeData, match="times its size"):
        trees._refuse_bomb(folder / "bomb.zip", infos)
    refused_by_the_command_line(command, folder / "bomb.zip", "2 of 2 images cannot be read")


def test_row_48_pixels_of_any_kind_become_8_bits_upright(tmp_path, draw):
    root = tmp_path / "kinds"
    for label in ("cat", "dog"):
        for number in range(20):
            draw(root / label / f"{number:02d}.png", seed=(len(label), number, ord(label[0])))
        draw(root / label / "cmyk.jpg", seed=31 + ord(label[0]), mode="CMYK")
        draw(root / label / "grey.png", seed=32 + ord(label[0]), mode="L")
        draw(root / label / "alpha.png", seed=33 + ord(label[0]), mode="RGBA")
        draw(root / label / "palette.png", seed=34 + ord(label[0]), mode="P", transparency=bytes([0, 100]))
        draw(root / label / "bits.png", seed=35 + ord(label[0]), mode="1")
        deep = np.random.default_rng(ord(label[0])).integers(0, 65536, (24, 24)).astype(np.uint16)
        Image.fromarray(deep).save(root / label / "deep.png")
        frames = [
            Image.new("RGB", (24, 24), colour)
            for colour in ("red", "blue", label == "cat" and "lime" or "gold")
        ]
        frames[0].putpixel((0, 0), (0, 0, ord(label[0])))
        frames[0].save(root / label / "film.webp", save_all=True, append_images=frames[1:], lossless=True)
        exif = Image.Exif()
        exif[0x0112] = 6
        draw(root / label / "turned.jpg", seed=36 + ord(label[0]), size=(16, 32), exif=exif)
    task = Task.from_data(root)
    assert task.rows == 56 and task.argument.shape == (56, 24, 24, 3) and task.argument.dtype == np.uint8
    told = " ".join(finding.what for finding in task.findings)
    for mark in ("CMYK", "palette", "transparent", "animated", "rotated by EXIF", "more than 8 bits"):
        assert mark in told, f"{mark} is not told of: {told}"
    assert found(task, "mixed channels") and found(task, "mixed depths") and found(task, "mixed sizes")
    assert ([24, 24, 54] in task.describe()["images"]["sizes"]) and (
        [32, 16, 2] in task.describe()["images"]["sizes"]
    )
    film = task.argument[sorted(path.name for path in (root / "cat").iterdir()).index("film.webp")]
    assert film[12, 12].tolist() == [255, 0, 0]


# -- row 49: mixed sizes, channels and depths ----------------------------------------------------------------------------


def test_row_49_mixed_sizes_are_resized_by_a_rule_with_a_table_and_a_flag(tmp_path, draw):
    root = tmp_path / "mixed"
    sizes = [(20, 30), (30, 20), (40, 40), (16, 64)]
    for number in range(40):
        draw(root / "ab"[number % 2] / f"{number}.png", seed=number, size=sizes[number // 2 % 4])
    task = Task.from_data(root)
    (finding,) = found(task, "mixed sizes")
    assert (
        finding.level == "warning" and "4 different sizes" in finding.what and "20 x 30 (10)" in finding.what
    )
    assert "--image-size" in finding.flag and "pad" in finding.action
    assert len({image.shape for image in task.argument}) == 1
    assert any("pixels" in sentence and "--image-size" in sentence for sentence in task.schema.decided)
    wished = Task.from_data(root, image_size=(12, 18), image_fit="crop")
    assert wished.argument.shape[1:] == (12, 18, 3) and "you said so" in " ".join(wished.schema.decided)


def test_row_49_the_border_that_is_added_has_the_colour_of_the_borders(tmp_path):
    root = tmp_path / "bright"
    for number in range(20):
        pixels = np.full((20, 40, 3) if number % 4 < 2 else (40, 20, 3), (250, 200, 150), dtype=np.uint8)
        pixels[8:12, 8:12] = number
        (root / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / "ab"[number % 2] / f"{number}.png")
    task = Task.from_data(root, image_size=(40, 40))
    assert task.schema.fill == (250, 200, 150)
    assert (task.argument[:, 0, 0] == (250, 200, 150)).all()


def test_row_49_grey_images_saved_in_colour_are_grey(class_folders):
    root = class_folders(images=8, mode="L")
    for path in (root / "cat").iterdir():
        with Image.open(path) as image:
            image.convert("RGB").save(path)
    task = Task.from_data(root)
    assert task.schema.channels == 1 and not found(task, "mixed channels")


def test_row_49_memory_limits_the_size(class_folders):
    root = class_folders(images=10, size=(64, 64))
    assert Task.from_data(root).argument.shape[1] == 64
    small = Task.from_data(root, memory=4 * 20 * 3 * 32 * 32)
    assert small.argument.shape[1] == 32 and small.argument.nbytes <= 20 * 3 * 32 * 32


# -- row 50: class folders that are empty, alone, nested, full of junk, or full of links -----------------------------------


def test_row_50_junk_is_ignored(class_folders):
    root = class_folders(images=6)
    clean = Task.from_data(root)
    (root / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (root / "cat" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (root / "cat" / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (root / "dog" / "desktop.ini").write_text("[x]")
    (root / "dog" / "._000.png").write_bytes(b"\0\5\26\7")
    for hidden in (".git", "__MACOSX", ".ipynb_checkpoints", "@eaDir"):
        (root / hidden).mkdir()
        (root / hidden / "000.png").write_bytes((root / "cat" / "000.png").read_bytes())
    task = Task.from_data(root)
    assert task.fingerprint == clean.fingerprint and task.schema.classes == ("cat", "dog")
    assert [f.code for f in task.findings] == [f.code for f in clean.findings]


def test_row_50_an_empty_class_is_told_and_is_no_class(class_folders):
    root = class_folders(images=6)
    (root / "newt").mkdir()
    (root / "owl").mkdir()
    (root / "owl" / "readme.txt").write_text("later")
    task = Task.from_data(root)
    assert task.schema.classes == ("cat", "dog")
    (finding,) = found(task, "empty class")
    assert finding.level == "warning" and "newt" in finding.where and "owl" in finding.where


def test_row_50_one_class_is_an_error(class_folders, command):
    root = class_folders(classes=("cat",), images=6)
    (root / "dog").mkdir()
    with pytest.raises(DataError, match="one class: 'cat'") as caught:
        Task.from_data(root)
    assert "dog" in caught.value.where and caught.value.todo
    refused_by_the_command_line(command, root, "one class")


def test_row_50_a_folder_without_images_is_an_error(tmp_path, command):
    empty = tmp_path / "empty"
    empty.mkdir()
    refused_by_the_command_line(command, empty, "no image")
    (empty / "t.csv").write_text("a,b\n1,2\n")
    refused_by_the_command_line(command, empty, "t.csv")


def test_row_50_folders_within_class_folders_belong_to_the_class(class_folders, draw):
    root = class_folders(images=6)
    draw(root / "cat" / "persian" / "a.png", seed=77)
    task = Task.from_data(root)
    assert task.rows == 13 and np.bincount(task.target).tolist() == [7, 6]
    (finding,) = found(task, "nested folders")
    assert finding.level == "warning" and "cat/persian/a.png" in finding.where


def test_row_50_folders_that_only_wrap_the_data_are_looked_through(class_folders):
    inner = class_folders("outer/wrapped/data", images=6)
    assert Task.from_data(inner.parent.parent).schema.classes == ("cat", "dog")


def test_row_50_loops_and_links_out_of_the_root_are_never_followed(class_folders, draw, tmp_path):
    root = class_folders(images=6)
    outside = draw(tmp_path / "outside" / "secret.png", seed=99)
    (root / "cat" / "loop").symlink_to(root, target_is_directory=True)
    (root / "cat" / "self").symlink_to("self")
    (root / "dog" / "secret.png").symlink_to(outside)
    (root / "fox").symlink_to(outside.parent, target_is_directory=True)
    (root / "dog" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    task = Task.from_data(root)
    assert task.rows == 12 and task.schema.classes == ("cat", "dog")
    (finding,) = found(task, "links")
    assert "5 links" in finding.what and "dog/secret.png" in finding.where
    names = task.schema.row_names(root)[1]
    assert not any("secret" in name or "loop" in name for name in names)


def test_row_50_a_link_to_an_image_inside_the_root_is_an_image(class_folders, draw):
    root = class_folders(images=6)
    (root / "dog" / "again.png").symlink_to(root / "dog" / "000.png")
    task = Task.from_data(root)
    assert task.rows == 13 and found(task, "duplicates")


def test_row_50_pipes_and_devices_in_a_folder_are_not_opened(class_folders):
    root = class_folders(images=6)
    os.mkfifo(root / "cat" / "pipe.png")
    assert stat.S_ISFIFO(os.stat(root / "cat" / "pipe.png").st_mode)
    assert Task.from_data(root).rows == 12


def test_row_50_links_in_archives_are_not_followed_and_paths_out_of_them_are_refused(class_folders, tmp_path):
    root = class_folders(images=6)
    path = tmp_path / "pets.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*.png")):
            archive.write(file, file.relative_to(root))
        link = zipfile.ZipInfo("cat/passwords.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    task = Task.from_data(path)
    assert task.rows == 12 and "cat/passwords.png" in found(task, "links")[0].where
    for name in ("../evil.png", "/etc/evil.png", "cat/../../evil.png", "C:/evil.png", "..\\evil.png"):
        with zipfile.ZipFile(tmp_path / "slip.zip", "w") as archive:
            archive.writestr(name, b"x")
        with pytest.raises(UnsafeData, match="outside of it"):
            Task.from_data(tmp_path / "slip.zip")
    assert not (tmp_path.parent / "evil.png").exists()


def test_row_50_an_encrypted_archive_is_an_error(tmp_path, class_folders):
    root = class_folders(images=3)
    path = tmp_path / "locked.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in root.rglob("*.png"):
            archive.write(file, file.relative_to(root))
    data = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(magic)
        while place >= 0:
            data[place + offset] |= 1
            place = data.find(magic, place + 4)
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="encrypted"):
        Task.from_data(path)


def test_row_50_few_images_and_classes_of_different_size_are_told(class_folders, draw):
    root = class_folders(images=30)
    for number in range(2):
        draw(root / "newt" / f"{number}.png", seed=(5, number))
    task = Task.from_data(root)
    assert "newt (2)" in found(task, "rare classes")[0].where
    assert "'newt' 2" in found(task, "imbalance")[0].what
    assert found(Task.from_data(class_folders("few", images=6)), "few images")


# -- row 51: the same image in two class folders ---------------------------------------------------------------------------


def test_row_51_the_same_image_in_two_class_folders_is_told_with_a_list(class_folders):
    root = class_folders(images=20)
    for number in range(2):
        (root / "dog" / f"copy{number}.png").write_bytes((root / "cat" / f"00{number}.png").read_bytes())
    task = Task.from_data(root)
    (finding,) = found(task, "same image, two classes")
    assert finding.level == "warning" and finding.what.startswith("2 images")
    assert "cat/000.png (cat) = dog/copy0.png (dog)" in finding.where
    assert task.groups is not None and task.groups[0] == task.groups[40]
    assert len(np.unique(task.groups)) == 40


def test_row_51_copies_within_a_class_stay_together(class_folders):
    root = class_folders(images=20)
    (root / "dog" / "copy.jpg").write_bytes((root / "dog" / "000.png").read_bytes())
    task = Task.from_data(root)
    assert "1 image" in found(task, "duplicates")[0].what and not found(task, "same image, two classes")
    assert len(np.unique(task.groups)) == 40


def test_row_21_nearly_the_same_images_stay_together(tmp_path):
    generator = np.random.default_rng(0)
    for number in range(30):
        image = Image.fromarray(generator.integers(0, 256, (6, 6, 3)).astype(np.uint8)).resize((48, 48))
        folder = tmp_path / "near" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        image.save(folder / f"{number}.png")
        if number < 3:
            image.save(folder / f"{number}-again.jpg", quality=92)
    task = Task.from_data(tmp_path / "near")
    (finding,) = found(task, "near duplicates")
    assert finding.what.startswith("3 images") and len(np.unique(task.groups)) == 30


def test_row_21_exact_copies_are_not_listed_among_those_that_are_nearly_the_same(class_folders):
    root = class_folders(images=12)
    for number in range(3):
        (root / "cat" / f"copy-{number}.png").write_bytes((root / "cat" / f"00{number}.png").read_bytes())
    with Image.open(root / "cat" / "000.png") as image:
        pixels = np.asarray(image).copy()
    pixels[0, 0] ^= 4
    Image.fromarray(pixels).save(root / "dog" / "near.png")
    task = Task.from_data(root)
    (near,), (copies,) = found(task, "near duplicates"), found(task, "duplicates")
    assert near.where == "cat/000.png, dog/near.png" and near.what.startswith("1 image is")
    assert copies.what.startswith("3 images") and len(np.unique(task.groups)) == 24


def test_row_24_test_images_among_those_to_learn_from_are_an_error(class_folders, command):
    root = class_folders(images=10)
    later = class_folders("later", images=5)
    (later / "cat" / "seen.png").write_bytes((root / "cat" / "000.png").read_bytes())
    with pytest.raises(DataError, match="1 of 11 test images") as caught:
        Task.from_data(root, test=later)
    assert "cat/seen.png" in caught.value.where
    allowed = Task.from_data(root, test=later, allow_overlap=True)
    assert allowed.rows == 20 and allowed.test.rows == 11 and found(allowed, "overlap")


def test_row_24_a_rare_overlap_is_taken_out_of_what_is_learnt_from(class_folders):
    root = class_folders(images=10, size=(12, 12))
    later = class_folders("later", images=60, size=(12, 12))
    (later / "cat" / "seen.png").write_bytes((root / "cat" / "000.png").read_bytes())
    task = Task.from_data(root, test=later)
    assert task.rows == 19 and task.test.rows == 121
    assert "1 images are not learnt from" in found(task, "overlap")[0].action


def test_images_of_one_colour_are_told(class_folders):
    root = class_folders(images=10)
    Image.new("RGB", (24, 24), (10, 20, 30)).save(root / "cat" / "blank.png")
    (finding,) = found(Task.from_data(root), "nearly one colour")
    assert "cat/blank.png" in finding.where


@pytest.mark.parametrize("seed", range(40))
def test_damaged_archives_arrays_and_idx_files_are_refused_or_read_and_never_crash(
    class_folders, tmp_path, seed
):
    generator = np.random.default_rng(seed)
    root = class_folders(images=3, size=(8, 8))
    x = generator.integers(0, 256, (12, 8, 8)).astype(np.uint8)
    np.savez(tmp_path / "0.npz", x=x, y=np.arange(12) % 2)
    with zipfile.ZipFile(tmp_path / "1.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(root.rglob("*.png")):
            archive.write(file, file.relative_to(root))
    (tmp_path / "idx").mkdir()
    header = struct.pack(">BBBB3I", 0, 0, 8, 3, 12, 8, 8)
    (tmp_path / "idx" / "train-images-idx3-ubyte").write_bytes(header + x.tobytes())
    (tmp_path / "idx" / "train-labels-idx1-ubyte").write_bytes(
        struct.pack(">BBBBI", 0, 0, 8, 1, 12) + bytes([0, 1] * 6)
    )
    path = [tmp_path / "0.npz", tmp_path / "1.zip", tmp_path / "idx" / "train-images-idx3-ubyte"][seed % 3]
    data = bytearray(path.read_bytes())
    for place in generator.integers(0, len(data), 6):
        data[place] = generator.integers(0, 256)
    path.write_bytes(bytes(data[: generator.integers(20, len(data))] if seed % 2 else data))
    try:
        Task.from_data(path.parent if seed % 3 == 2 else path, skip_bad_images=True)
    except PerennialError:
        pass
