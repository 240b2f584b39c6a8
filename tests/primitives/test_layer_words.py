"""Layer words say what they give and cost before anything is built, and Keras agrees afterwards."""

import pytest

from perennial.errors import ProgramError, TypeMismatch
from perennial.lang import Image, Layer, Series, Tensor, parse, to_source, typed
from perennial.lang.types import Dist, TypeVar
from perennial.primitives import vocabulary
from perennial.primitives.layers.combinators import apart, branches, layer, residual
from perennial.testing.layers import check_layer

WORDS = vocabulary()
LAYERS = {name: word for name, word in WORDS.items() if isinstance(word, Layer)}


def shape(name, *types, **parameters):
    word = WORDS[name]
    return word.infer(*types, **word.complete(parameters)).dims


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_a_layer_keeps_its_promises(name):
    check_layer(LAYERS[name])


def test_shapes_are_those_of_the_textbook():
    picture = Tensor(9, 8, 3)
    assert shape("pixels", Image(9, 8, 3)) == (9, 8, 3)
    assert shape("conv", picture, width=5, kernel=3) == (9, 8, 5)
    assert shape("conv", picture, width=5, kernel=3, stride=2) == (5, 4, 5)
    assert shape("max_pool", picture) == (5, 4, 3)
    assert shape("max_pool", picture, size=3, stride=1) == (9, 8, 3)
    assert shape("transposed_conv", picture, width=4) == (18, 16, 4)
    assert shape("upsample", picture, size=3) == (27, 24, 3)
    assert shape("flatten", picture) == (216,)
    assert shape("reshape", picture, sides=(-1, 3)) == (72, 3)
    assert shape("concatenate", picture, Tensor(9, 8, 5)) == (9, 8, 8)
    assert shape("gru", Tensor(50, 8), units=6) == (6,)
    assert shape("lstm", Tensor(50, 8), units=6, sequence=True, both_ways=True) == (50, 12)


def test_a_convolution_has_as_many_dimensions_as_its_input():
    assert shape("conv", Series(100, 6), width=5) == (100, 5)
    assert shape("conv", Tensor(7, 9, 8, 2), width=5) == (7, 9, 8, 5)


def test_the_price_of_a_convolution_is_that_of_the_textbook():
    cost = WORDS["conv"].cost(Tensor(32, 32, 16), width=64, kernel=3)
    assert cost.parameters == 3 * 3 * 16 * 64 + 64
    assert cost.flops == 2 * 3 * 3 * 16 * 64 * 32 * 32
    assert cost.activations == 32 * 32 * 64


def test_an_image_must_go_through_pixels():
    with pytest.raises(TypeMismatch, match="Image") as caught:
        shape("conv", Image(9, 8, 3))
    assert "pixels" in str(caught.value)
    with pytest.raises(TypeMismatch, match="Tensor"):
        shape("pixels", Tensor(9, 8, 3))


@pytest.mark.parametrize("name", ["sum_of", "product_of", "concatenate"])
def test_values_that_cannot_be_joined_are_named(name):
    with pytest.raises(TypeMismatch, match=r"9, 8, 3.*9, 7, 3"):
        shape(name, Tensor(9, 8, 3), Tensor(9, 7, 3))
    with pytest.raises(TypeMismatch, match="two tensors"):
        shape(name, Tensor(4))


@pytest.mark.parametrize("sides", [(7,), (-1, -1), (0, -1), (), 3, (2.0, -1), "text"], ids=str)
def test_sides_that_do_not_hold_the_numbers_are_refused(sides):
    with pytest.raises(ProgramError, match="reshape"):
        shape("reshape", Tensor(4, 3), sides=sides)


def test_a_mistake_inside_a_program_is_pointed_at():
    program = parse("lambda image: head(conv(pixels(image)))", WORDS)
    with pytest.raises(TypeMismatch) as caught:
        typed(program, (Image(9, 8, 3),), Dist(2))
    assert (
        "head" in str(caught.value) and "Tensor[9, 8, 32]" in str(caught.value) and "^" in str(caught.value)
    )


def test_a_network_is_typed_before_its_image_is_known():
    program = parse("lambda image: head(global_pool(relu(conv(pixels(image)))))", WORDS)
    assert typed(program, (TypeVar("a"),), Dist(2))[program.body] == Dist(2)


def test_networks_are_printed_and_read_back():
    body = residual(layer(WORDS["conv"], width=8) >> WORDS["relu"])
    program = branches(body, body, layer(WORDS["max_pool"], size=3, stride=1))
    assert parse(to_source(program), WORDS) is program


def test_a_body_apart_shares_nothing_that_has_weights():
    body = layer(WORDS["conv"], width=8) >> WORDS["batch_norm"] >> WORDS["relu"]
    copy = apart(body, 2)
    assert str(copy) == "lambda x: relu(batch_norm(conv(x, branch=2, width=8), branch=2))"
    assert apart(copy, 1) is apart(body, 3)
