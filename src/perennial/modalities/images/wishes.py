"""What the user says about images: their common size, how they are fitted to it, and what to do with broken ones."""

from __future__ import annotations

from dataclasses import dataclass

from perennial.errors import UsageError

FITS = ("pad", "crop", "stretch")
SMALLEST_SIDE, LARGEST_SIDE = 4, 1024


@dataclass(frozen=True)
class ImageWishes:
    """The user's word on images; None where perennial is to choose.

    Args:
        size: pixels of the longer side, or `(height, width)`.
        fit: `pad` adds a border, `crop` cuts the margins, `stretch` changes the shape.
        skip_bad: leave out images that cannot be read, however many they are.
        memory: bytes that one process may use.

    Raises:
        UsageError: a size or a fit that does not exist.

    >>> ImageWishes((32, 48)).size
    (32, 48)
    """

    size: int | tuple[int, int] | None = None
    fit: str | None = None
    skip_bad: bool = False
    memory: int | None = None

    def __post_init__(self) -> None:
        if self.fit is not None and self.fit not in FITS:
            raise UsageError(
                f"Images are fitted by {', '.join(FITS)}; received {self.fit!r}.", where="--image-fit"
            )
        sides = () if self.size is None else self.size if isinstance(self.size, tuple) else (self.size,)
        if any(isinstance(side, bool) or not isinstance(side, int) for side in sides) or len(sides) > 2:
            raise _wrong_size(self.size)
        if any(not SMALLEST_SIDE <= side <= LARGEST_SIDE for side in sides):
            raise _wrong_size(self.size)

    def refuse_for_tables(self) -> None:
        """Raises UsageError when images were spoken of and the data are a table."""
        if self.size is not None or self.fit is not None or self.skip_bad:
            raise UsageError(
                "The data are a table, and a wish about images was made.",
                where="--image-size, --image-fit or --skip-bad-images",
                todo="Leave it out, or pass a folder of images.",
            )


def size_of(text: str | None) -> int | tuple[int, int] | None:
    """The size that a text such as `64` or `48x64` (height x width) names.

    >>> size_of("64"), size_of("48x64")
    (64, (48, 64))
    """
    if text is None:
        return None
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() for part in parts):
        raise _wrong_size(text)
    numbers = tuple(int(part) for part in parts)
    return numbers[0] if len(numbers) == 1 else numbers


def _wrong_size(size: object) -> UsageError:
    return UsageError(
        f"A size is one number or HEIGHTxWIDTH, each {SMALLEST_SIDE} to {LARGEST_SIDE} pixels; received {size!r}.",
        where="--image-size",
        todo="Write for instance --image-size 64, or --image-size 48x64.",
    )
