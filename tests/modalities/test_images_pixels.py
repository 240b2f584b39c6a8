"""Pixels in memory: arrays of any layout, depth and transparency, held against Pillow and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from perennial.errors import DataError, UnreadableData
from perennial.modalities.images.arrays import images_among, oriented, parts_of
from perennial.modalities.images.decoding import deep_range, facts_of, opened, scaled, upright
from perennial.modalities.images.oddities import (
    groups_of_copies,
    judge_overlap,
    near_copies,
    refuse_broken,
    size_table,
    tell_counts,
    tell_flat,
)
from perennial.modalities.images.pictures import (
    Decoded,
    Files,
    Frames,
    Stack,
    border_colour,
    in_memory,
    together,
    with_fill,
    without_colours,
)

GENERATOR = np.random.default_rng(4)
COLOURS = GENERATOR.integers(0, 256, (6, 12, 10, 3)).astype(np.uint8)
SAME = Frames((12, 10), 3, "stretch")
GREY = Frames((12, 10), 1, "stretch")
DOZENS = settings(max_examples=40)


def heard(check, *arguments):
    findings = []
    check(*arguments, findings.append)
    return findings


# -- layouts -----------------------------------------------------------------------------------------------------------


def test_channels_may_stand_first_or_last_and_a_model_settles_what_is_ambiguous():
    ambiguous = np.zeros((5, 3, 8, 1))
    assert oriented(ambiguous)[0].shape == (5, 3, 8, 1)
    assert oriented(ambiguous, channels=1)[0].shape == (5, 3, 8, 1)
    assert oriented(ambiguous, channels=3)[0].shape == (5, 8, 1, 3)
    assert np.array_equal(oriented(np.moveaxis(COLOURS, 3, 1))[0], COLOURS)


@pytest.mark.parametrize("dtype", [object, "U3", complex, "datetime64[s]"])
def test_arrays_of_anything_but_numbers_are_no_images(dtype):
    with pytest.raises(DataError, match="Images are numbers"):
        oriented(np.zeros((3, 8, 8), dtype=dtype))


def test_pairs_of_arrays_are_found_by_name_in_an_order_of_preference():
    arrays = {" X_Train": 1, "y_train": 2, "x_test": 3, "y_test": 4, "x": 5, "y": 6}
    assert parts_of(arrays, "here") == {"train": (1, 2), "test": (3, 4)}
    assert parts_of({"x": 5, "y": 6, "x_val": 7}, "here") == {"train": (5, 6)}
    with pytest.raises(DataError, match="No arrays to learn from") as caught:
        parts_of({"a": 1}, "here")
    assert caught.value.where == "here holds 'a'"


def test_images_to_predict_are_the_test_part_or_the_only_array():
    assert images_among({"x_train": 1, "X_test": 2}, "here") == 2
    assert images_among({"whatever": 3}, "here") == 3
    with pytest.raises(DataError, match="Which array holds the images") as caught:
        images_among({"a": 1, "b": 2}, "here")
    assert caught.value.where == "here holds 'a', 'b'" and caught.value.todo == "Call it x."


# -- from arrays to bytes ----------------------------------------------------------------------------------------------


def test_colours_become_grey_as_pillow_makes_them():
    decoded = Stack(COLOURS).decode(GREY)
    expected = [np.asarray(Image.fromarray(image).convert("L")) for image in COLOURS]
    assert np.array_equal(decoded.pixels[..., 0], expected)
    assert decoded.coloured == len(COLOURS)


def test_grey_becomes_three_equal_channels_and_is_not_called_coloured():
    grey = COLOURS[..., :1]
    assert np.array_equal(Stack(grey).decode(SAME).pixels, np.repeat(grey, 3, axis=3))
    assert Stack(np.repeat(grey, 3, axis=3)).decode(GREY).coloured == 0


@pytest.mark.parametrize("channels", [2, 4])
def test_transparent_pixels_are_laid_over_white_as_pillow_lays_them(channels):
    pixels = GENERATOR.integers(0, 256, (3, 8, 8, channels)).astype(np.uint8)
    decoded = Stack(pixels).decode(Frames((8, 8), channels - 1, "stretch")).pixels
    for image, found in zip(pixels, decoded, strict=True):
        layered = Image.fromarray(image).convert("RGBA")
        white = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        expected = np.asarray(Image.alpha_composite(white, layered).convert("RGB"))[..., : channels - 1]
        assert np.abs(found.astype(int) - expected).max() <= 1


@DOZENS
@given(st.lists(st.floats(-10, 10), min_size=1), st.floats(-5, 4), st.floats(0.5, 5))
def test_scaling_is_a_line_that_is_cut_at_both_ends(values, black, spread):
    found = scaled(np.array(values), black, black + spread)
    expected = np.interp(values, [black, black + spread], [0, 255])
    assert np.abs(found - expected).max() <= 0.51


@pytest.mark.parametrize(
    ("values", "learnt", "found"),
    [
        (np.array([0.0, 1.0]), None, [0, 255]),
        (np.array([0.0, 1.0]), (0.0, 255.0), [0, 255]),
        (np.array([0, 4095]), None, [0, 255]),
        (np.array([0, 2048]), (0.0, 4095.0), [0, 128]),
        (np.array([0, 40_000]), (0.0, 4095.0), [0, 156]),
        (np.array([0, 15], dtype=np.uint8), (0.0, 15.0), [0, 255]),
        (np.array([0, 15], dtype=np.uint8), None, [0, 15]),
        (np.array([0, 200], dtype=np.uint8), (0.0, 15.0), [0, 200]),
        (np.array([False, True]), None, [0, 255]),
        (np.array([np.nan, 1.0]), None, [0, 255]),
    ],
)
def test_the_levels_that_were_learnt_hold_unless_the_values_follow_another_convention(values, learnt, found):
    pixels = np.resize(values, (2, 8, 8, 1))
    decoded = Stack(pixels).decode(Frames((8, 8), 1, "pad", learnt)).pixels
    assert decoded[0, 0, :2, 0].tolist() == found


def test_transparency_does_not_count_for_the_range_of_values():
    pixels = np.zeros((1, 8, 8, 2))
    pixels[..., 0], pixels[..., 1] = 0.5, 255.0
    assert Stack(pixels).survey().deep == (0.5, 0.5, False)


# -- several images ----------------------------------------------------------------------------------------------------


def test_arrays_images_and_paths_of_any_size_are_decoded_alike(tmp_path):
    Image.fromarray(COLOURS[0]).save(tmp_path / "x.png")
    mixed = in_memory(
        [COLOURS[0], Image.fromarray(COLOURS[0]), tmp_path / "x.png", np.moveaxis(COLOURS[0], 2, 0)]
    )
    decoded = mixed.decode(SAME)
    assert mixed.names.tolist() == ["1", "2", str(tmp_path / "x.png"), "4"]
    assert not decoded.broken and (decoded.pixels == COLOURS[0]).all()


@pytest.mark.parametrize("canvas", [(6, 5), (24, 20)])
def test_a_stack_is_stretched_to_another_size_as_pillow_stretches_it(canvas):
    decoded = Stack(COLOURS).decode(Frames(canvas, 3, "stretch"))
    for image, found in zip(COLOURS, decoded.pixels, strict=True):
        expected = Image.fromarray(image).resize(canvas[::-1], Image.Resampling.BILINEAR)
        assert np.abs(found.astype(int) - np.asarray(expected)).max() <= 1


def test_arrays_with_transparency_may_differ_in_size():
    clear = np.zeros((8, 9, 4), dtype=np.uint8)
    opaque = np.full((9, 8, 4), 255, dtype=np.uint8) * np.array([0, 1, 0, 1], dtype=np.uint8)
    pixels = in_memory([clear, opaque]).decode(Frames((8, 8), 3, "stretch")).pixels
    assert (pixels[0] == 255).all() and (pixels[1] == [0, 255, 0]).all()


def test_arrays_of_different_depth_share_their_black_and_white():
    dark, bright = np.full((8, 9), 1000, dtype=np.uint16), np.full((9, 8), 4000, dtype=np.uint16)
    pixels = in_memory([dark, bright]).decode(Frames((8, 8), 1, "stretch")).pixels
    assert [int(image.mean()) for image in pixels] == [round(1000 / 4095 * 255), round(4000 / 4095 * 255)]


def test_arrays_that_are_no_images_are_named_with_their_shape():
    odd = in_memory([np.zeros((5, 5, 9)), np.zeros((5, 5), dtype=object), np.zeros((0, 4)), COLOURS[0]])
    decoded = odd.decode(SAME)
    assert sorted(decoded.broken) == [0, 1, 2]
    assert decoded.broken[0] == "an array of shape (5, 5, 9) and type float64"
    assert odd.survey().broken.keys() == {0, 1, 2}


def test_several_sequences_become_one_in_their_order():
    one, other = Stack(COLOURS[:2]), Stack(COLOURS[2:])
    assert together([one]) is one
    assert np.array_equal(together([one, other]).array, COLOURS)
    files = [in_memory([Image.fromarray(image)]) for image in COLOURS[:2]]
    both = together(files)
    assert isinstance(both, Files) and np.array_equal(both.decode(SAME).pixels, COLOURS[:2])
    assert both.names.tolist() == ["1", "1"]


def test_rows_are_taken_in_any_order():
    assert np.array_equal(Stack(COLOURS).take(np.array([3, 1])).array, COLOURS[[3, 1]])
    files = in_memory([Image.fromarray(image) for image in COLOURS])
    assert np.array_equal(files.take(np.array([3, 1])).decode(SAME).pixels, COLOURS[[3, 1]])


def test_the_border_has_the_median_of_the_colours_at_the_edges_and_fills_what_is_outside():
    pixels = np.zeros((3, 8, 8, 1), dtype=np.uint8)
    for row, grey in enumerate((10, 20, 90)):
        pixels[row, 2:6] = grey
        pixels[row, 3:5, 1:7] = 255
    boxes = np.tile([2, 0, 4, 8], (3, 1))
    decoded = Decoded(pixels, boxes, {})
    assert border_colour(decoded) == (20,)
    filled = with_fill(decoded, (20,))
    assert (filled[:, :2] == 20).all() and (filled[:, 6:] == 20).all() and (filled[:, 3:5, 1:7] == 255).all()
    assert border_colour(Decoded(pixels, np.zeros((3, 4), dtype=int), {})) == (0,)


def test_channels_that_are_all_equal_become_one():
    grey = np.repeat(COLOURS[..., :1], 3, axis=3)
    assert np.array_equal(without_colours(Decoded(grey, None, {})).pixels, COLOURS[..., :1])
    coloured = Decoded(COLOURS, None, {})
    assert without_colours(coloured) is coloured


# -- one image ---------------------------------------------------------------------------------------------------------


def test_an_image_without_pixels_is_unreadable():
    with pytest.raises(UnreadableData, match="without pixels"):
        opened(Image.new("RGB", (0, 5)), "here")


def test_deep_images_without_a_single_number_are_black():
    image = Image.fromarray(np.full((4, 4), np.nan, dtype=np.float32))
    assert deep_range(image, "here") == (0.0, 0.0, True)
    assert (np.asarray(upright(image, "here", None)) == 0).all()


def test_a_deep_image_alone_uses_its_own_range_and_its_facts_say_so():
    image = Image.fromarray(np.array([[0.0, 0.5], [0.25, 1.0]], dtype=np.float32))
    assert facts_of(image).marks == ("more than 8 bits",)
    assert np.asarray(upright(image, "here", None)).tolist() == [[0, 128], [64, 255]]


# -- oddities ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("broken", "total", "allowed", "fails"), [(1, 100, False, False), (2, 100, False, True), (2, 100, True, False), (2, 2, True, True), (0, 5, False, False)])  # fmt: skip
def test_at_most_one_broken_image_in_a_hundred_is_left_out_unasked(broken, total, allowed, fails):
    faults = {row: "an empty file" for row in range(broken)}
    findings = []
    if fails:
        with pytest.raises(DataError, match=f"{broken} of {total} images cannot be read"):
            refuse_broken(faults, None, total, allowed, findings.append)
    else:
        refuse_broken(faults, None, total, allowed, findings.append)
        assert len(findings) == min(broken, 1)


def test_of_many_broken_images_five_are_listed():
    names = np.array([f"{row}.png" for row in range(900)], dtype=object)
    (finding,) = heard(refuse_broken, {row: "text" for row in range(8)}, names, 900, False)
    assert finding.where == "; ".join(f"{row}.png (text)" for row in range(5)) + "; … 3 more"


def test_sizes_are_counted_the_most_frequent_first():
    assert size_table(np.array([4, 8, 8]), np.array([5, 9, 9])) == [[8, 9, 2], [4, 5, 1]]


def test_images_of_nearly_one_colour_are_listed_whatever_the_colour():
    pixels = COLOURS.copy()
    pixels[1], pixels[4] = 77, [10, 200, 30]
    pixels[5] = 0
    pixels[5, 0, 0] = 255
    (finding,) = heard(tell_flat, pixels, None)
    assert finding.where == "image 2, image 5"


def test_a_class_of_a_tenth_of_the_largest_is_told():
    codes = np.repeat([0, 1, 2], [61, 6, 10])
    (finding,) = heard(tell_counts, ["a", "b", "c"], codes)
    assert finding.what == "'a' has 61 images and 'b' 6."
    assert heard(tell_counts, ["a", "b", "c"], np.repeat([0, 1, 2], [60, 6, 10])) == []
    assert [each.code for each in heard(tell_counts, [], codes[:40])] == ["few images"]


def test_copies_and_near_copies_share_a_code_and_others_do_not():
    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, (4, 6, 6, 3)).astype(np.uint8)
    pixels = np.stack([np.asarray(Image.fromarray(image).resize((32, 32))) for image in small])
    nearly = np.clip(pixels[0].astype(int) + generator.integers(-3, 4, pixels[0].shape), 0, 255).astype(
        np.uint8
    )
    pixels = np.concatenate([pixels, pixels[1:2], nearly[None]])
    hashes = np.array([1, 2, 3, 4, 2, 5], dtype=np.uint64)
    codes = near_copies(pixels, hashes)
    assert codes[0] == codes[5] and codes[1] == codes[4]
    assert len(set(codes.tolist())) == 4
    findings = []
    groups = groups_of_copies(
        hashes, codes, np.array([0, 0, 1, 1, 1, 0]), ["cat", "dog"], None, findings.append
    )
    assert groups is codes
    told = {finding.code: finding for finding in findings}
    assert told["duplicates"].where == "image 2, image 5"
    assert told["same image, two classes"].where == "image 2 (cat) = image 5 (dog)"
    assert told["near duplicates"].what == "1 image is nearly the same as others."


@pytest.mark.parametrize(
    ("shared", "allowed", "fails"), [(1, False, False), (2, False, True), (2, True, False), (0, False, False)]
)
def test_at_most_one_test_image_in_a_hundred_is_taken_out_of_those_to_learn_from(shared, allowed, fails):
    hashes, test = np.arange(50, dtype=np.uint64), np.arange(1000, 1100, dtype=np.uint64)
    test[:shared] = hashes[10 : 10 + shared]
    findings = []
    if fails:
        with pytest.raises(DataError, match="2 of 100 test images"):
            judge_overlap(hashes, test, None, allowed, findings.append)
        return
    left_out = judge_overlap(hashes, test, None, allowed, findings.append)
    assert np.flatnonzero(left_out).tolist() == ([10] if shared == 1 else [])
    assert len(findings) == min(shared, 1)
