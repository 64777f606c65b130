"""Show what the detector found in the frames that reached IoT Hub: a count and a picture.

python examples/camera/report.py UPSTREAM.jsonl [-o camera.jpg]

UPSTREAM.jsonl is what ``scoring-module simulate --upstream`` writes. A part is found if a box of its label shares at
least half of their union with it; what lies in a frame is in ``truth.json``.
"""

import argparse
import base64
import gzip
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

COLORS = {"bolt": "#ffb000", "nut": "#3fc1ff", "washer": "#7ee787"}
SHOWN, ACROSS = 6, 3
"""Frames in the picture, and in a row of it."""

Parts = list[dict[str, Any]]
"""``{"label", "box": [x1, y1, x2, y2]}`` in pixels of the frame, of what was found with its ``score``."""


def read_predictions(upstream: Path) -> dict[int, Parts]:
    """Give what was found by frame; a line sent twice counts once."""
    found: dict[int, Parts] = {}
    with upstream.open() as lines:
        for line in lines:
            body = json.loads(line).get("body")
            if isinstance(body, dict) and "parts" in body:
                found[body["frame"]] = body["parts"]
    return dict(sorted(found.items()))


def union_share(one: list[float], other: list[float]) -> float:
    """Give the share of two boxes' union that they have in common."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(width, 0) * max(height, 0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return common / (areas - common)


def right(found: Parts, truth: Parts) -> int:
    """Count the parts that were found, each once."""
    left = list(truth)
    for part in found:
        match = [
            each for each in left if each["label"] == part["label"] and union_share(each["box"], part["box"]) >= 0.5
        ]
        if match:
            left.remove(match[0])
    return len(truth) - len(left)


def draw(frame: Image.Image, parts: Parts) -> Image.Image:
    """Give a frame twice as large, with the boxes and how sure they are."""
    large = frame.resize((2 * frame.width, 2 * frame.height), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(large)
    for part in parts:
        corners = [2 * edge for edge in part["box"]]
        pen.rectangle(corners, outline=COLORS[part["label"]], width=3)
        text = f"{part['label']} {part['score']:.2f}"
        pen.text((corners[0] + 2, corners[1] - 17), text, fill=COLORS[part["label"]], font_size=14)
    return large


def main() -> None:
    """Print the count and write the picture."""
    parser = argparse.ArgumentParser(description="What the camera example's detector found, with a picture.")
    parser.add_argument("upstream", type=Path, metavar="UPSTREAM.jsonl", help="written by simulate --upstream")
    parser.add_argument("-o", "--output", type=Path, default=Path("camera.jpg"), help="default: %(default)s")
    arguments = parser.parse_args()
    if not arguments.upstream.is_file():
        raise SystemExit(f"{arguments.upstream} is not there: write it with scoring-module simulate --upstream")
    found = read_predictions(arguments.upstream)
    if not found:
        raise SystemExit(f"{arguments.upstream} holds no parts: simulate with SCORING_DIR=examples/camera")

    folder = Path(__file__).parent
    truth: list[Parts] = json.loads((folder / "truth.json").read_text())
    with gzip.open(folder / "telemetry.jsonl.gz", "rt") as lines:
        frames = {row["frame"]: row["image"] for row in map(json.loads, lines)}
    pictures = [
        draw(Image.open(io.BytesIO(base64.b64decode(frames[number]))), found[number]) for number in [*found][:SHOWN]
    ]
    width, height = pictures[0].size
    sheet = Image.new("RGB", (width * ACROSS, height * -(-len(pictures) // ACROSS)))
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (place % ACROSS * width, place // ACROSS * height))
    sheet.save(arguments.output, quality=80)

    hits = sum(right(parts, truth[number - 1]) for number, parts in found.items())
    there = sum(len(truth[number - 1]) for number in found)
    wrong = sum(map(len, found.values())) - hits
    print(f"{hits} of {there} parts found in {len(found)} frames, {wrong} wrong, picture in {arguments.output}")


if __name__ == "__main__":
    main()
