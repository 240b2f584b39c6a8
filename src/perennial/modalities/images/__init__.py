"""Images: from folders, archives and arrays to `Image[height, width, channels]`, with a reason for every choice.

The way of an image: `trees` and `arrays` find it, `labels` say what it shows, `decoding` turns bytes into pixels,
`sizing` chooses one common size, `oddities` tells what is wrong, `sensing` puts all of it together, and `schema`
does the same again for new images.
"""

from perennial.modalities.images.schema import ImageSchema
from perennial.modalities.images.sensing import sense_images
from perennial.modalities.images.sources import is_images, unpacked_table
from perennial.modalities.images.wishes import ImageWishes

__all__ = ["ImageSchema", "ImageWishes", "is_images", "sense_images", "unpacked_table"]
