"""How images are read: one common size, one number of channels, and the target."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from perennial.errors import DataError
from perennial.lang.types import Image, Type
from perennial.modalities.base import Codec
from perennial.modalities.images.labels import ImageSet
from perennial.modalities.images.pictures import Frames, with_fill
from perennial.modalities.images.sources import images_of, judged_images
from perennial.modalities.tables import check_targets, refuse_unlabelled, unlabelled
from perennial.modalities.targets import TargetSchema

FIELD = "image"
FILE = "file"
SHOWN = 5


@dataclass(frozen=True)
class ImageSchema(Codec):
    """How images become one array, and predictions become what people gave.

    Args:
        height, width: of every image, in pixels.
        channels: 1 for grey, 3 for colour.
        target: what is to be predicted.
        fit: `pad`, `crop` or `stretch` an image of another shape.
        fill: the colour of the border that `pad` adds, one number 0 to 255 for each channel.
        levels: the values of pixels deeper than 8 bits that become 0 and 255; None when none were learnt from.
        decided: sentences about what was chosen.
    """

    height: int
    width: int
    channels: int
    target: TargetSchema
    fit: str = "pad"
    fill: tuple[int, ...] = (0,)
    levels: tuple[float, float] | None = None
    decided: tuple[str, ...] = field(default=(), compare=False)
    columns: tuple = field(default=(), init=False, compare=False, repr=False)

    @property
    def input_type(self) -> Type:
        """One image."""
        return Image(self.height, self.width, self.channels)

    @property
    def output_type(self) -> Type:
        return self.target.output_type

    @property
    def target_type(self) -> Type:
        """The type of a true value."""
        return self.target.target_type

    @property
    def problem(self) -> str:
        return self.target.problem

    @property
    def targets(self) -> tuple[str, ...]:
        return self.target.names

    @property
    def classes(self) -> tuple:
        return tuple(self.target.classes if self.problem == "multilabel" else self.target.labels().tolist())

    def display_name(self, identity: str) -> str:
        """The name of the only field."""
        return identity

    def argument(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """The images `(n, height, width, channels)` as uint8."""
        return columns[FIELD]

    def encode(self, data: Any) -> dict[str, np.ndarray]:
        """The images as one array under `image`.

        Args:
            data: a path (folder, archive, file of arrays, single image), a list of paths, Pillow images or arrays, one
                image, an array, or what this method gave before.

        Raises:
            DataError: no images, or some that cannot be read, with their names.
        """
        return self.encode_with_notes(data)[0]

    def encode_with_notes(
        self, data: Any, impute_missing: bool = False
    ) -> tuple[dict[str, np.ndarray], list[str]]:
        """The images, and sentences about what was odd.

        Args:
            data: as for `encode`.
            impute_missing: images that cannot be read become blank ones instead of an error.
        """
        if isinstance(data, Mapping) and _is_encoded(data, self):
            return {FIELD: data[FIELD]}, []
        images = self.read(data)
        pixels, broken, coloured = self._decoded(images)
        names = images.pictures.names
        if broken:
            listed = "; ".join(
                f"{row + 1 if names is None else names[row]} ({why})"
                for row, why in list(broken.items())[:SHOWN]
            )
            if not impute_missing:
                raise DataError(
                    f"{len(broken)} of {images.rows} images cannot be read.",
                    where=listed,
                    why="A prediction is wanted for each.",
                    todo="Remove them, or predict them as blank images with --impute-missing.",
                )
        notes = (
            [f"{len(broken)} images cannot be read and are taken for blank ones: {listed}"] if broken else []
        )
        if coloured and self.channels == 1:
            notes.append(
                f"{coloured} images have colours, which are left out: the model was grown on grey ones"
            )
        return {FIELD: pixels}, notes

    def read(self, path: Any, **reading: Any) -> ImageSet:
        """Images from whatever holds them, not yet decoded."""
        return images_of(path, self.channels)

    def read_labelled(self, path: Any, **reading: Any) -> ImageSet:
        """Images in the same order, with what is known of each."""
        return judged_images(path, self.targets, self.channels, reading)

    def row_names(self, data: Any) -> tuple[str, np.ndarray] | None:
        """The file names of images that came from files, as the column `file`."""
        if isinstance(data, str | os.PathLike):
            data = self.read(data)
        names = data.pictures.names if isinstance(data, ImageSet) else None
        return None if names is None else (FILE, names)

    def pixels_of(self, images: ImageSet) -> tuple[np.ndarray, dict[int, str]]:
        """The images as `(n, height, width, channels)` of bytes, and which of them cannot be read, and why."""
        return self._decoded(images)[:2]

    def _decoded(self, images: ImageSet) -> tuple[np.ndarray, dict[int, str], int]:
        frames = Frames((self.height, self.width), self.channels, self.fit, self.levels)
        decoded = images.pictures.decode(frames)
        return with_fill(decoded, self.fill), decoded.broken, decoded.coloured

    def encode_target(self, data: Any) -> np.ndarray:
        """The true values of labelled images: class folders, a table beside them, or a pair of arrays.

        They are in the order in which `encode` has the images.

        Raises:
            DataError: there are no labels, or some are missing.
        """
        images = self.read_labelled(data)
        if images.about is None:
            raise DataError("Nothing says what these images show.", why="Their true values are needed.")
        check_targets(images.about, self.targets)
        columns = [images.about.column(name) for name in self.targets]
        missing = unlabelled(columns)
        if missing.any():
            refuse_unlabelled(missing, self.targets)
        return self.target.encode(columns)

    def decode(self, prediction: np.ndarray, decision: dict[str, Any] | None = None) -> np.ndarray:
        return self.target.decode(prediction, decision)

    def to_json(self) -> dict[str, Any]:
        told = {name: value for name, value in asdict(self).items() if name not in ("target", "columns")}
        return {"modality": "image", **told, "target": self.target.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ImageSchema:
        """The inverse of `to_json`."""
        told = {name: value for name, value in data.items() if name not in ("modality", "target")}
        told |= {"fill": tuple(data["fill"]), "decided": tuple(data["decided"])}
        told["levels"] = None if data["levels"] is None else tuple(data["levels"])
        return ImageSchema(**told, target=TargetSchema.from_json(data["target"]))


def _is_encoded(data: Mapping[str, Any], schema: ImageSchema) -> bool:
    """Whether data are columns that this codec made."""
    column = data.get(FIELD)
    shape = (schema.height, schema.width, schema.channels)
    return isinstance(column, np.ndarray) and column.dtype == np.uint8 and column.shape[1:] == shape
