"""Pictures → tensors: JPEG and PNG, decoded, resized and normalised as ``scoring.json`` says, several at a time."""

import binascii
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from math import prod
from types import ModuleType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

from ..errors import ModelError, RequestError
from ..execution.cores import cpu_threads
from ..options import Options, current
from .input_fields import MISSING, lookup, missing
from .picture_files import reduced
from .specs import TensorSpec
from .tensors import Array

DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
"""A PNG of one black pixel in base64, to try a model with."""

_GREY = 114
"""What is left free around a picture that is made to fit, as the YOLO models were trained."""

_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""What undoes EXIF's orientations, by Pillow's names."""

_FIRST_ASIDE = 5
"""From this orientation on height and width change places."""

_MOST_THREADS = 4
"""Pictures that are decoded at a time: one of the largest allowed takes four bytes a pixel."""

Side = Annotated[int, Meta(ge=1, le=8192)]
Numbers = float | list[float]
T = TypeVar("T")
U = TypeVar("U")


class Picture(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An input of ``scoring.json`` that is made of a picture: the body itself, or base64 in a field.

    Attributes:
        decode: ``image``, which tells it from a Field.
        field: the path of the field; by default the input's name.
        size: height and width of the input, where the model leaves them open.
        channels: their order, or ``L``: grey.
        layout: where the channels are, before or after height and width.
        resize: ``stretch`` to the size; ``fit`` into it, with grey around; ``crop`` what is too much at two sides.
        scale: factor of each pixel's 0 to 255; by default 1/255 where the input is of floats, else 1.
        mean, std: subtracted from what is scaled, then divided by; for all channels or one by one, as channels says.
    """

    decode: Literal["image"]
    field: str = ""
    size: tuple[Side, Side] | None = None
    channels: Literal["RGB", "BGR", "L"] = "RGB"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    resize: Literal["stretch", "fit", "crop"] = "stretch"
    scale: float | None = None
    mean: Numbers = 0.0
    std: Numbers = 1.0


class View(NamedTuple):
    """Where a picture lies in the input made of it: a pixel is at ``zoom × its place + offset`` there, by axis x, y."""

    width: int
    height: int
    zoom: tuple[float, float]
    offset: tuple[float, float]

    def undo(self, corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Give boxes ``[N, 4]``, x1 y1 x2 y2 in the input, as such in the picture, cut at its edges."""
        return ((corners - self.offset * 2) / (self.zoom * 2)).clip(0, (self.width, self.height) * 2)


class PictureInput:
    """Makes the tensor of one input of pictures.

    Attributes:
        picture: what ``scoring.json`` says of it.
        field: where the picture is in a message that is an object.
        spec: the input, with the size that pictures get.
    """

    def __init__(self, picture: Picture, spec: TensorSpec) -> None:
        """Compare what is wanted with the model's input.

        Raises:
            ModelError: it does not fit, or Pillow is not installed.
        """
        self.picture, self.field = picture, picture.field or spec.name
        _pillow()
        places = (1, 2, 0) if picture.layout == "NCHW" else (0, 1, 2)
        model = [spec.shape[-3:][place] for place in places] if len(spec.shape) in (3, 4) else []
        if spec.form != "tensor" or not model or (len(spec.shape) == 4 and spec.shape[0] not in (1, None)):
            raise ModelError(f"the input takes no single picture, but {spec.describe(row=False)}")
        channels = len(picture.channels)
        wanted = [*(picture.size or model[:2]), channels]
        if None in wanted:
            raise ModelError('the model leaves height and width open: add "size": [height, width]')
        if any(size not in (None, mine) for size, mine in zip(model, wanted, strict=True)):
            given = f"{wanted[0]}×{wanted[1]} with {channels} channels ({picture.layout})"
            raise ModelError(f"a picture is made {given}, but the input is {spec.describe(row=False)}")
        self._height, self._width = (int(size or 0) for size in wanted[:2])
        self._order = tuple(np.argsort(places))
        self._shape = tuple(int(wanted[place] or 0) for place in self._order)
        self.spec = replace(spec, shape=(*spec.shape[:-3], *self._shape))
        self._levels = _levels(picture, spec, channels)

    @property
    def at_once(self) -> int:
        """How many tensors take 64 MiB."""
        return max(1, (64 << 20) // (prod(self._shape) * self.spec.dtype.itemsize))

    def __call__(self, request: object) -> tuple[Array, View]:
        """Give the tensor of a request, and where the picture lies in it.

        Raises:
            RequestError: there is no picture, or it cannot be decoded or is too large.
        """
        value = lookup(request, self.field) if isinstance(request, dict) else request
        where = f"the field {self.field}" if isinstance(request, dict) else "the body"
        if value is MISSING or value is None:
            raise missing(request, self.field, value)
        if isinstance(value, str):
            try:
                value = binascii.a2b_base64(value.partition(",")[2] if value[:5].lower() == "data:" else value)
            except ValueError as error:
                raise RequestError(f"{where} is not base64: {error}") from None
        if not isinstance(value, bytes):
            raise RequestError(f"{where} holds no picture: expected a JPEG or PNG, in JSON as base64")
        pixels, view = self._decoded(value, where)
        tensor: Array = np.empty(self._shape, self.spec.dtype)
        planes = np.moveaxis(tensor, self._order.index(2), 0)
        for plane, level, channel in zip(planes, self._levels, np.moveaxis(pixels, 2, 0), strict=True):
            np.take(level, channel, out=plane, mode="clip")
        return tensor, view

    def _decoded(self, data: bytes, where: str) -> tuple[npt.NDArray[np.uint8], View]:
        """Give the pixels ``[height, width, channels]`` in the input's size."""
        pillow, most = _pillow(), int(current(Options).max_body_mb * 2**20)
        try:
            needed, held = reduced(data)
            with pillow.Image.open(io.BytesIO(needed), formats=("JPEG", "PNG")) as image:
                if (sides := image.width * image.height) <= most:
                    return self._resized(image, held)
        except pillow.UnidentifiedImageError:
            raise RequestError(f"{where} is no JPEG or PNG: it begins with {data[:8]!r}") from None
        except pillow.Image.DecompressionBombError:
            sides = "far too many"
        except Exception as error:  # whatever a decoder meets in a damaged file
            raise RequestError(f"{where} is a picture that cannot be decoded: {error}") from None
        raise RequestError(f"{where} is a picture of {sides} pixels, of {most} at most: raise SCORING_MAX_BODY_MB")

    def _resized(self, image: Any, held: int) -> tuple[npt.NDArray[np.uint8], View]:
        pillow, channels, size = _pillow(), self.picture.channels, (self._width, self._height)
        whole, need = image.size, 2 * max(size)
        image.draft("L" if channels == "L" else None, (need, need))  # a JPEG can be decoded smaller
        if held in _TURNS:
            image = image.transpose(pillow.Image.Transpose[_TURNS[held]])
        whole = whole if held < _FIRST_ASIDE else whole[::-1]
        content, part, view = _placed(whole, size, self.picture.resize)
        box = tuple(edge * now / was for edge, now, was in zip(part, image.size * 2, whole * 2, strict=True))
        if image.mode.startswith("I"):  # 16 bits, of which convert() would cut the upper ones
            image = pillow.Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        plain = image.convert("L" if channels == "L" else "RGB")
        pixels = np.asarray(plain.resize(content, pillow.Image.Resampling.BILINEAR, box))
        pixels = pixels.reshape(*pixels.shape[:2], -1)[..., :: -1 if channels == "BGR" else 1]
        if content == size:
            return pixels, view
        left, top = ((outer - inner) // 2 for outer, inner in zip(size, content, strict=True))
        canvas = np.full((*size[::-1], len(channels)), _GREY, np.uint8)
        canvas[top : top + content[1], left : left + content[0]] = pixels
        return canvas, view


def several(make: Callable[[T], U], values: Sequence[T]) -> list[U]:
    """Give what is made of each value, on several threads: Pillow and numpy leave the interpreter to others.

    On two cores that others used too, a picture took at best, on one thread and on two: 640×480 to 224×168 2.7 and
    1.7 ms, 1920×1080 to 640×360 18.9 and 15.5 ms.
    """
    return [make(value) for value in values] if len(values) == 1 else [*_threads().map(make, values)]


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(cpu_threads(), _MOST_THREADS), "picture")


@cache
def _pillow() -> ModuleType:
    try:
        import PIL.Image  # noqa: PLC0415 - only for models that take pictures
    except ImportError:
        raise ModelError(
            "it needs Pillow: pip install 'iotedge-scoring-module[images]', in an image pillow in myenv.yml"
        ) from None
    return PIL


def _levels(picture: Picture, spec: TensorSpec, channels: int) -> list[Array]:
    """Give for each channel what the 256 levels of a pixel become in the input's type."""
    scale = picture.scale if picture.scale is not None else 1 / 255 if spec.kind == "f" else 1.0
    try:
        mean, std = np.broadcast_to(picture.mean, channels), np.broadcast_to(picture.std, channels)
    except ValueError:
        raise ModelError(f"mean and std need one number or {channels}, one for each channel") from None
    with np.errstate(all="ignore"):
        exact = (np.arange(256) * scale - mean[:, np.newaxis]) / std[:, np.newaxis]
        levels = exact.astype(spec.dtype) if spec.kind in "fiu" else exact
    if not np.isfinite(exact).all() or spec.kind not in "fiu":
        raise ModelError(f"its pixels cannot become {spec.describe(row=False)}: mend scale, mean and std")
    if spec.kind != "f" and not np.array_equal(levels.astype(np.float64), exact):
        raise ModelError(f"scale, mean and std do not give a whole number of {spec.dtype.name} for each pixel")
    return list(levels)


def _placed(
    picture: tuple[int, int], size: tuple[int, int], resize: str
) -> tuple[tuple[int, int], tuple[float, float, float, float], View]:
    """Say what size a picture's part gets in the input, which part that is (x1, y1, x2, y2), and where it lies then."""
    ratios = [outer / inner for outer, inner in zip(size, picture, strict=True)]
    content, part = size, (0.0, 0.0, float(picture[0]), float(picture[1]))
    if resize == "fit":
        width, height = (max(1, round(side * min(ratios))) for side in picture)
        content = width, height
    elif resize == "crop":
        # As torchvision does it: the other side is cut to whole pixels, and the corner of what is kept rounded to them.
        tight = ratios.index(max(ratios))
        whole = [max(outer, size[tight] * side // picture[tight]) for outer, side in zip(size, picture, strict=True)]
        whole[tight] = size[tight]
        left, top = (round((side - outer) / 2) for side, outer in zip(whole, size, strict=True))
        x, y = (inner / side for inner, side in zip(picture, whole, strict=True))
        part = (left * x, top * y, (left + size[0]) * x, (top + size[1]) * y)
    zoom = content[0] / (part[2] - part[0]), content[1] / (part[3] - part[1])
    offset = (size[0] - content[0]) // 2 - part[0] * zoom[0], (size[1] - content[1]) // 2 - part[1] * zoom[1]
    return content, part, View(*picture, zoom, offset)
