"""Characters that nobody writes, drawn by a formula: sets with as many classes as one likes, of which none was seen before.

A class is two to four strokes, each a cubic curve. An image is one way to write it: its points are moved a little, the whole
is turned, stretched, slanted, shifted, and drawn with a pen of some width. It stands in white on black, or on a ground: waves,
pieces of other strokes, ink of any brightness that can be told from it.
"""

from __future__ import annotations

import numpy as np

from perennial.bench.images import Split

SIDE, CLASSES, TRAINING, TESTED = 28, 40, 200, 100
STROKES, POINTS = (2, 4), 24
MOVED, TURNED, SLANTED, SHIFTED = 0.05, 0.15, 0.15, 0.05
NOISE, CONTRAST = 8.0, 0.35
PLAIN, ON_GROUNDS = "characters", "characters-on-grounds"
_T = np.linspace(0.0, 1.0, POINTS)[:, None]
BERNSTEIN = np.hstack([(1 - _T) ** 3, 3 * _T * (1 - _T) ** 2, 3 * _T**2 * (1 - _T), _T**3])


def drawn(name: str, classes: int = CLASSES, training: int = TRAINING, tested: int = TESTED) -> Split:
    """A set of characters, the same each time.

    Args:
        name: `characters` or `characters-on-grounds`.
        classes: how many.
        training, tested: images of each.

    >>> drawn("characters", classes=3, training=2, tested=1).x_train.shape
    (6, 28, 28, 1)
    """
    generator = np.random.default_rng([7, classes])
    alphabet = [_strokes(generator) for _ in range(classes)]
    parts = []
    for count in (training, tested):
        target = np.arange(classes * count) % classes
        images = [_image(alphabet[code], generator, name == ON_GROUNDS) for code in target]
        parts += [np.stack(images)[..., None], target]
    return Split(name, tuple(f"character {code}" for code in range(classes)), *parts)


def _strokes(generator: np.random.Generator) -> list[np.ndarray]:
    """The points of each curve `(4, 2)`, from 0 to 1; half of the strokes begin where the last one ended."""
    pen, found = generator.uniform(0.2, 0.8, 2), []
    for number in range(generator.integers(STROKES[0], STROKES[1] + 1)):
        if number and generator.random() < 0.5:
            pen = generator.uniform(0.15, 0.85, 2)
        found.append(np.vstack([pen, generator.uniform(0.1, 0.9, (3, 2))]))
        pen = found[-1][-1]
    return found


def _written(strokes: list[np.ndarray], generator: np.random.Generator) -> np.ndarray:
    """How much ink there is, from 0 to 1, `(28, 28)`."""
    angle = generator.normal(0.0, TURNED)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    slant = np.array([[1.0, generator.normal(0.0, SLANTED)], [0.0, 1.0]])
    form = turn @ slant @ np.diag(generator.uniform(0.75, 1.05, 2))
    place, width = 0.5 + generator.normal(0.0, SHIFTED, 2), generator.uniform(0.7, 1.4)
    across, down = np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5)
    ink = np.zeros((SIDE, SIDE))
    for stroke in strokes:
        moved = stroke + generator.normal(0.0, MOVED, stroke.shape)
        points = ((BERNSTEIN @ moved - 0.5) @ form.T + place) * SIDE
        apart = np.hypot(across[..., None] - points[:, 0], down[..., None] - points[:, 1]).min(axis=-1)
        ink = np.maximum(ink, np.clip(width + 0.5 - apart, 0.0, 1.0))
    return ink


def _image(strokes: list[np.ndarray], generator: np.random.Generator, grounds: bool) -> np.ndarray:
    ink = _written(strokes, generator)
    if grounds:
        ground = _ground(generator)
        colour = generator.uniform()
        while abs(colour - ground.mean()) < CONTRAST:
            colour = generator.uniform()
        light = ground * (1.0 - ink) + colour * ink
    else:
        light = ink * generator.uniform(0.7, 1.0)
    return (255.0 * light + generator.normal(0.0, NOISE, light.shape)).clip(0, 255).astype(np.uint8)


def _ground(generator: np.random.Generator) -> np.ndarray:
    """Three waves, and one to three strokes of other characters."""
    across, down = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    waves = np.zeros((SIDE, SIDE))
    for _ in range(3):
        angle, often = generator.uniform(0.0, np.pi), 2.0 * np.pi * generator.uniform(0.05, 0.35)
        phase = generator.uniform(0.0, 2.0 * np.pi)
        waves += generator.uniform(0.3, 1.0) * np.sin(
            often * (np.cos(angle) * across + np.sin(angle) * down) + phase
        )
    span = generator.uniform(0.2, 0.5)
    ground = generator.uniform() * (1.0 - span) + span * (waves - waves.min()) / np.ptp(waves)
    for _ in range(generator.integers(1, 4)):
        ink = 0.6 * _written(_strokes(generator)[:1], generator)
        ground = ground * (1.0 - ink) + generator.uniform() * ink
    return ground
