"""Pictures become tensors: what Pillow itself gives is the oracle."""

import binascii
import io
import struct
import sys
import tracemalloc
import zlib
from base64 import b64encode
from typing import Any

import numpy as np
import pytest

from scoring import RequestError
from scoring.bodies.codecs import Body, decode
from scoring.errors import ModelError
from scoring.onnx import pictures
from scoring.onnx.picture_files import reduced
from scoring.onnx.pictures import DOT, Picture, PictureInput, _placed, several
from scoring.onnx.specs import TensorSpec

Image = pytest.importorskip("PIL.Image", reason="needs the extra [images]")
ImageOps = pytest.importorskip("PIL.ImageOps")

PIXELS = np.random.default_rng(3).integers(0, 256, (4, 6, 3), np.uint8)


def taking(*shape: int | None, dtype: str = "float32", **keys: Any) -> PictureInput:
    """Make what takes pictures for an input of that shape, called x."""
    return PictureInput(Picture(decode="image", **keys), TensorSpec("x", np.dtype(dtype), shape))


def saved(picture: Any, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    (Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture).save(file, form, **options)
    return file.getvalue()


def smooth(width: int, height: int) -> Any:
    """Give a picture as a camera sees one: soft edges, every colour."""
    noise = np.random.default_rng(width).integers(0, 256, (5, 7, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


GREY = np.asarray(Image.fromarray(PIXELS).convert("L"))[..., np.newaxis]
MEAN, STD = [0.4, 0.5, 0.6], [0.1, 0.2, 0.3]


@pytest.mark.parametrize(
    ("shape", "keys", "wanted"),
    [
        ((None, 3, 4, 6), {}, (PIXELS / 255).transpose(2, 0, 1)),
        ((1, 3, 4, 6), {"channels": "BGR"}, (PIXELS[..., ::-1] / 255).transpose(2, 0, 1)),
        ((3, None, None), {"size": (4, 6), "scale": 1.0}, PIXELS.transpose(2, 0, 1)),
        ((None, 4, 6, 3), {"layout": "NHWC"}, PIXELS / 255),
        ((None, 1, 4, 6), {"channels": "L"}, (GREY / 255).transpose(2, 0, 1)),
        ((None, 4, 6, 1), {"channels": "L", "layout": "NHWC", "mean": 0.5, "std": 0.25}, (GREY / 255 - 0.5) / 0.25),
        ((None, 4, 6, 3), {"layout": "NHWC", "mean": MEAN, "std": STD}, (PIXELS / 255 - MEAN) / STD),
        ((None, 4, 6, 3), {"layout": "NHWC", "dtype": "uint8"}, PIXELS),
        ((None, 4, 6, 3), {"layout": "NHWC", "dtype": "int8", "mean": 128.0}, PIXELS.astype(int) - 128),
        ((None, 4, 6, 3), {"layout": "NHWC", "dtype": "float16"}, (PIXELS / 255).astype(np.float16)),
    ],
)
def test_pixels_become_what_scoring_json_says(shape: tuple[int | None, ...], keys: Any, wanted: Any) -> None:
    """In the input's own size nothing is resampled: each level by hand."""
    made = taking(*shape, **keys)
    tensor, view = made(saved(PIXELS))
    assert tensor.dtype == made.spec.dtype
    assert np.array_equal(tensor, wanted.astype(tensor.dtype))
    assert made.spec.shape[-3:] == tensor.shape
    assert view == (6, 4, (1.0, 1.0), (0.0, 0.0))


def test_a_picture_is_the_body_or_a_field() -> None:
    """As bytes, or as base64 in JSON, also with a data URL's beginning and in lines."""
    data, take = saved(PIXELS), taking(None, 3, 4, 6, field="camera.frame")
    text = b64encode(data)
    lines = binascii.b2a_base64(data).replace(b"A", b"A\\n")
    bodies = [
        Body(data, "image/png"),
        Body(b'{"camera": {"frame": "%s"}}' % text, "application/json"),
        Body(b'{"camera": {"frame": "data:image/png;base64,%s"}}' % text, "application/json"),
        Body(b'{"camera": {"frame": "DATA:image/png;base64,%s"}}' % text, "application/json"),
        Body(b'{"camera.frame": "%s"}' % lines.replace(b"\n", b"\\n"), "application/json"),
        Body(b"\x81\xaccamera.frame\xc5" + struct.pack(">H", len(data)) + data, "application/msgpack"),
        Body(text, "text/plain"),
    ]
    for body in bodies:
        assert np.array_equal(take(decode(body))[0], take(data)[0])


@pytest.mark.parametrize("picture", [(640, 480), (101, 333), (50, 50), (7, 300)])
def test_resizing_is_pillows(picture: tuple[int, int]) -> None:
    """Stretched, fitted with grey around as YOLO's letterbox is, cropped in the middle."""
    source = smooth(*picture)
    inner = ImageOps.contain(source, (96, 64), Image.Resampling.BILINEAR)
    padded = Image.new("RGB", (96, 64), (114, 114, 114))
    padded.paste(inner, ((96 - inner.width) // 2, (64 - inner.height) // 2))
    for resize, wanted in {
        "stretch": source.resize((96, 64), Image.Resampling.BILINEAR),
        "fit": padded,
        "crop": ImageOps.fit(source, (96, 64), Image.Resampling.BILINEAR),
    }.items():
        take = taking(None, 64, 96, 3, dtype="uint8", layout="NHWC", resize=resize)
        difference = np.abs(take(saved(source))[0].astype(int) - np.asarray(wanted).astype(int))
        assert difference.max() <= 1, resize
        assert difference.mean() < 0.1, resize


@pytest.mark.parametrize(("width", "height"), [(70, 120), (200, 150), (333, 97), (64, 65), (50, 40)])
def test_a_crop_is_torchvisions(width: int, height: int) -> None:
    """Resize(64) and CenterCrop(64): the longer side cut to whole pixels, the corner rounded; one level of rounding."""
    source = Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8))
    whole = (64, int(64 * height / width)) if width < height else (int(64 * width / height), 64)
    left, top = (round((side - 64) / 2) for side in whole)
    expected = source.resize(whole, Image.Resampling.BILINEAR).crop((left, top, left + 64, top + 64))
    _, part, view = _placed((width, height), (64, 64), "crop")
    cut = source.resize((64, 64), Image.Resampling.BILINEAR, part)
    assert np.abs(np.asarray(cut, np.int16) - np.asarray(expected, np.int16)).max() <= 1
    assert view.undo(np.array([[0.0, 0.0, 64.0, 64.0]]))[0] == pytest.approx(part, abs=1e-9)


def test_a_large_jpeg_is_decoded_smaller() -> None:
    """What comes of it differs from the whole one's by next to nothing."""
    source = saved(smooth(3000, 2000), "JPEG", quality=92)
    whole = Image.open(io.BytesIO(source)).resize((224, 160), Image.Resampling.BILINEAR)
    for channels, wanted in (("RGB", np.asarray(whole)), ("L", np.asarray(whole.convert("L"))[..., np.newaxis])):
        take = taking(None, 160, 224, len(channels), dtype="uint8", layout="NHWC", channels=channels)
        tensor, view = take(source)
        assert np.abs(tensor.astype(int) - wanted.astype(int)).mean() < 1
        assert (view.width, view.height) == (3000, 2000)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_that_was_turned(orientation: int) -> None:
    """The picture is taken as a viewer shows it, by its EXIF orientation."""
    source = smooth(1600, 800)
    exif = source.getexif()
    exif[0x0112] = orientation
    data = saved(source, "JPEG", quality=95, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    take = taking(None, 64, 64, 3, dtype="uint8", layout="NHWC")
    tensor, view = take(data)
    assert (view.width, view.height) == upright.size
    assert np.abs(tensor.astype(int) - np.asarray(upright.resize((64, 64), 2)).astype(int)).mean() < 1.5


def test_every_mode_of_pixels_is_taken() -> None:
    """Palettes, transparency, print colours, 1 and 16 bits."""
    source = smooth(64, 48)
    take = taking(None, 48, 64, 3, dtype="uint8", layout="NHWC")
    for mode, form in (("P", "PNG"), ("RGBA", "PNG"), ("LA", "PNG"), ("1", "PNG"), ("L", "JPEG"), ("CMYK", "JPEG")):
        data = saved(source.convert(mode), form)
        wanted = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        assert np.array_equal(take(data)[0], wanted), mode
    deep = saved((np.arange(48 * 64).reshape(48, 64) * 21).astype(np.uint16))
    assert np.array_equal(take(deep)[0][..., 0], (np.arange(48 * 64).reshape(48, 64) * 21) >> 8)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(side: int) -> bytes:
    """Give a PNG of so many white pixels that is next to nothing itself."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [5_000, 10_000, 2**31 - 1])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_bomb_is_refused_before_it_is_decoded(side: int) -> None:
    """By the size that it says of itself, in a sentence, and in little memory."""
    tracemalloc.start()
    with pytest.raises(RequestError, match=r"a picture of (\d+|far too many) pixels, of 16777216 at most: raise"):
        taking(None, 3, 4, 6)(bomb(side))
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (b"", r"the body is no JPEG or PNG: it begins with b''"),
        (b"GIF89a" + bytes(99), r"the body is no JPEG or PNG: it begins with b'GIF89a"),
        (saved(PIXELS)[:-30], "the body is a picture that cannot be decoded: "),
        (saved(smooth(64, 64), "JPEG")[:400], "the body is a picture that cannot be decoded: "),
        ({"x": "?"}, r"the field x is (not base64|no JPEG)"),
        ({"x": "abc"}, "the field x is not base64: "),
        ({"x": 5}, "the field x holds no picture: expected a JPEG or PNG, in JSON as base64"),
        ({"x": None}, "the field x is null"),
        ({"y": DOT}, r"the field x is missing \(there: y\)"),
        ([1, 2], "the body holds no picture"),
    ],
)
def test_what_is_no_picture_is_the_requests_error(request_: object, sentence: str) -> None:
    """In one sentence."""
    with pytest.raises(RequestError, match=sentence) as raised:
        taking(None, 3, 4, 6)(request_)
    assert "0x" not in str(raised.value)


def progressive(scans: int, side: int = 64) -> bytes:
    """Give a grey progressive JPEG whose pixels are gone over so often; each scan says of all blocks that they end."""

    def segment(kind: int, content: bytes) -> bytes:
        return bytes([0xFF, kind]) + struct.pack(">H", len(content) + 2) + content

    blocks = (side // 8) ** 2
    assert blocks < 1 << 14
    tables = segment(0xDB, bytes([0]) + bytes([1] * 64))
    frame = segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + bytes([1, 0x11, 0]))
    codes = b"".join(segment(0xC4, bytes([kind, 1, *[0] * 15, symbol])) for kind, symbol in ((0, 0), (0x10, 0xE0)))
    first = segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bytes(blocks // 8)
    others = (segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + b"\0\x7f") * (scans - 1)
    return b"\xff\xd8" + tables + frame + codes + first + others + b"\xff\xd9"


def test_a_jpeg_of_thousands_of_scans_is_refused() -> None:
    """Each goes over all pixels: a small file would decode for hours. What tools write is taken."""
    take = taking(None, 1, 8, 8, channels="L")
    assert take(progressive(18))[0].shape == (1, 8, 8)
    with pytest.raises(RequestError, match="cannot be decoded: it has 99999 scans, of 64 at most: save it with fewer"):
        take(progressive(99_999))
    hidden = progressive(64).replace(b"\xff\xda", b"\xff\xfe\0\4\xff\xd9\xff\xda", 2) + progressive(9999)[2:]
    assert reduced(hidden)[0].count(b"\xff\xda") <= 64


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xd8" + b"\xff\xe2\0\2" * 10**6 + saved(PIXELS, "JPEG")[2:], id="segments"),
        pytest.param(saved(PIXELS)[:33] + chunk(b"tEXt", b"") * 10**6 + saved(PIXELS)[33:], id="chunks"),
        pytest.param(b"\xff\xd8" + b"\xff\0" * 10**6 + saved(PIXELS, "JPEG")[2:], id="no markers"),
    ],
)
def test_a_file_of_countless_pieces_is_refused(data: bytes) -> None:
    """Before Pillow goes through them one by one."""
    with pytest.raises(RequestError, match=r"cannot be decoded: (it has more than \d+|there is no marker at byte 2)"):
        taking(None, 3, 4, 6)(data)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_exif_costs_no_memory_and_may_be_damaged(form: str) -> None:
    """Its entries may all point at the same megabytes: only the orientation is read."""
    entries = b"".join(struct.pack("<HHII", 0x9000 + number, 7, 60_000, 8) for number in range(4_000))
    exif = b"II*\0" + struct.pack("<IH", 8, 4_000) + entries + bytes(10_000)
    plain, _ = taking(None, 3, 4, 6)(saved(PIXELS, form))
    for damaged in (exif, b"", b"MM", b"II*\0\xff\xff\xff\xff", b"junk" * 9):
        data = saved(PIXELS, form)
        if form == "PNG":
            data = data[:33] + chunk(b"eXIf", damaged) + data[33:]
        else:
            data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(damaged) + 8) + b"Exif\0\0" + damaged + data[2:]
        tracemalloc.start()
        assert np.array_equal(taking(None, 3, 4, 6)(data)[0], plain)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
        tracemalloc.stop()


def test_several_pictures_come_out_in_order() -> None:
    """Decoded on several threads; a bad one among them is the error."""
    pictures = [saved(smooth(40 + number, 30)) for number in range(40)]
    take = taking(None, 3, 16, 16)
    together = [tensor for tensor, _ in several(take, pictures)]
    assert all(np.array_equal(one, take(picture)[0]) for one, picture in zip(together, pictures, strict=True))
    with pytest.raises(RequestError, match="no JPEG or PNG"):
        several(take, [*pictures, b"none"])


def test_without_pillow_the_model_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """At start, not at the first picture."""
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.ImageOps", None)
    pictures._pillow.cache_clear()
    with pytest.raises(ModelError, match=r"it needs Pillow: pip install 'iotedge-scoring-module\[images\]'"):
        taking(None, 3, 4, 6)
