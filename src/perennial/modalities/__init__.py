"""Kinds of data and the way between files and values."""

from typing import Any

from perennial.errors import DamagedFile
from perennial.modalities.base import Codec, Finding

__all__ = ["Codec", "Finding", "codec_from_json"]


def codec_from_json(data: dict[str, Any]) -> Codec:
    """The codec that `Codec.to_json` described.

    Raises:
        DamagedFile: a modality that is not known here.
    """
    modality = data.get("modality")
    if modality == "table":
        from perennial.modalities.tables import TableSchema

        return TableSchema.from_json(data)
    if modality == "image":
        from perennial.modalities.images import ImageSchema

        return ImageSchema.from_json(data)
    if modality == "examples":
        from perennial.modalities.examples import ExamplesCodec

        return ExamplesCodec.from_json(data)
    raise DamagedFile(f"Unknown modality {modality!r}.", todo="Upgrade perennial.")
