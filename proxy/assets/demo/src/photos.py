#!/usr/bin/env python3
"""Makes the small copies in ../photos from the full-size originals, and previews.json from those.

    pip install pillow
    python3 photos.py FOLDER_WITH_ORIGINALS

Not part of the build: the results are kept. Where the originals come from, and their licences: ../photos/README.md.
Metadata is dropped (some originals say where they were taken); only the EXIF orientation of two of them is kept, so
that the demo has photos that must be turned before they are shown.
"""

import base64
import io
import json
import sys
from pathlib import Path

from PIL import Image, ImageOps

# name, original, part of it (left, top, right, bottom), long side in pixels, quality, orientation to keep
PHOTOS = [
    ("harbour", "photo-12mp-420.jpg", None, 1440, 80, None),
    ("quay", "photo-12mp-420.jpg", (1850, 1650, 4032, 3024), 1360, 78, None),
    ("cranes", "photo-12mp-420.jpg", (300, 100, 1900, 2233), 1520, 80, None),
    ("skyline", "photo-12mp-420.jpg", (1900, 500, 4032, 2000), 1400, 80, None),
    ("lake", "lake.jpg", None, 1600, 78, None),
    ("leaf", "photo-irot1.avif", None, 800, 96, 8),
    ("chain", "photo-16mp-422-orient8.jpg", None, 1600, 82, 8),
    ("desk", "photo-22mp-444.jpg", None, 1500, 80, None),
]
ORIENTATION = 0x0112
PREVIEW_SIDE = 176
PREVIEW_QUALITY = 56


def make(folder: Path, target: Path) -> None:
    for name, original, part, side, quality, orientation in PHOTOS:
        image = Image.open(next(folder.rglob(original)))
        image.load()
        image = image.convert("RGB")
        if part:
            image = image.crop(part)
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        exif = Image.Exif()
        if orientation:
            exif[ORIENTATION] = orientation
        path = target / f"{name}.jpg"
        clean = Image.new("RGB", image.size)
        clean.paste(image)
        clean.save(path, quality=quality, optimize=True, progressive=name != "desk", exif=exif.tobytes() if orientation else b"")
        print(f"{path.name:12} {clean.width} x {clean.height}  {path.stat().st_size:7} bytes  orientation {orientation or 1}")


def preview(path: Path) -> str:
    """What the widget shows until the photo itself is there: some 4 kB, base64."""
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
    clean = Image.new("RGB", image.size)
    clean.paste(image)
    body = io.BytesIO()
    clean.save(body, "JPEG", quality=PREVIEW_QUALITY, optimize=True)
    return base64.b64encode(body.getvalue()).decode()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: photos.py FOLDER_WITH_ORIGINALS")
    here = Path(__file__).resolve().parent
    photos = here.parent / "photos"
    make(Path(sys.argv[1]), photos)
    previews = {name: preview(photos / f"{name}.jpg") for name, *_ in PHOTOS}
    (here / "previews.json").write_text(json.dumps(previews, indent=1) + "\n")
