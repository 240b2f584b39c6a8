"""The drawing of a program: every word once, in order, with what it gives."""

import xml.etree.ElementTree as ET

from perennial import architecture
from perennial.architecture import Box
from perennial.lang import Dist, Image, parse
from perennial.primitives import vocabulary

PROGRAM = parse(
    "lambda image: weighted_average(linear(hog(image, cells=4)), kernel_ridge(join(hog(image, cells=4), hog(image))))", vocabulary()
)  # fmt: skip


def test_a_shared_word_is_one_box_after_what_it_needs():
    found = architecture.boxes(PROGRAM, Image(28, 28, 1), Dist(10))
    assert [box.word for box in found] == [
        "image",
        "hog",
        "linear",
        "hog",
        "join",
        "kernel_ridge",
        "weighted_average",
    ]
    assert [box.inputs for box in found] == [(), (0,), (1,), (0,), (1, 3), (4,), (2, 5)]


def test_boxes_tell_shapes_and_what_differs_from_the_defaults():
    found = architecture.boxes(PROGRAM, Image(28, 28, 1), Dist(10))
    assert (found[1].settings, found[1].type) == ("cells=4", "Tensor[432]")
    assert (found[3].settings, found[3].type) == ("", "Tensor[1728]")
    assert found[4].type == "Tensor[2160]" and found[-1].type == "Dist[10]"


def test_the_drawing_is_well_formed_and_says_in_words_what_it_shows():
    root = ET.fromstring(architecture.drawing(PROGRAM, Image(28, 28, 1), Dist(10)))
    text = " ".join(root.itertext())
    assert "kernel_ridge" in text and "Tensor[2160]" in text and root.attrib["aria-label"]


def test_arcs_that_overlap_have_lanes_of_their_own():
    shown = [
        Box("a", "", "", ()),
        Box("b", "", "", (0,)),
        Box("c", "", "", (1,)),
        Box("d", "", "", (1, 2)),
        Box("e", "", "", (0, 3)),
    ]
    lanes = architecture._lanes(shown)
    assert set(lanes) == {(1, 3), (0, 4)} and lanes[1, 3] != lanes[0, 4]


def test_names_and_settings_of_a_program_cannot_leave_the_drawing():
    hostile = Box('</svg><script>alert("1")</script>', "<b>", "<i>", ())
    drawn = architecture.svg([hostile])
    assert "<script>" not in drawn and "<b>" not in drawn
    ET.fromstring(drawn)


def test_a_program_of_very_many_words_is_not_drawn():
    words = ", ".join(
        f"hog(image, cells={number % 30 + 1}, orientations={number // 30 + 2})" for number in range(125)
    )
    program = parse(f"lambda image: linear(join({words}))", vocabulary())
    assert architecture.drawing(program, Image(32, 32, 1), Dist(2)) == ""
