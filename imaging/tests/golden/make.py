#!/usr/bin/env python3
"""Makes the sources and references of the golden tests: sources/, references/, wrong/.

Nothing here is ours but the arithmetic on the page: Pillow decodes, resamples in 32-bit floats (mode F) and converts
profiles by lcms; the rest is numpy. A reference is computed in floats and rounded once, at its end. `wrong/NAME--WHAT.png`
is what a mistake would make of NAME: the test asserts that its bounds tell the two apart.

    python3 -m venv /tmp/golden
    /tmp/golden/bin/pip install Pillow==13.0.0 numpy==2.4.6 pillow-heif==1.8.1 imagecodecs==2026.3.6
    /tmp/golden/bin/python imaging/tests/golden/make.py

AVIF, HEIC and JPEG XL are written and read by libavif, libheif and libjxl, which the last two packages bring along.
With the name of a part, such as `modern`, only that part is made, and what is there stays.

Colours are those of sRGB as stored unless a function says "linear". Made once and committed; encoders of another version
may give other sources, and then every reference changes with them.
"""

import io
import shutil
import struct
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
from PIL import Image, ImageCms, ImageOps

HERE = Path(__file__).resolve().parent
FIXTURES = HERE / "../../../tests/fixtures/images"
WIDE, HIGH = 192, 128
SMALL = (72, 48)
GLARE = (144, 96)


# Pictures as float arrays, height x width x channels, 0 to 255.


def grain(width, height, seed):
    """Noise in -1 to 1, the same everywhere: a hash of the coordinates."""
    y, x = np.mgrid[0:height, 0:width].astype(np.uint64)
    mixed = x * np.uint64(73_856_093) ^ y * np.uint64(19_349_663) ^ np.uint64(seed * 83_492_791)
    mixed = (mixed ^ mixed >> np.uint64(13)) * np.uint64(1_274_126_177) & np.uint64(0xFFFF_FFFF)
    return (mixed >> np.uint64(8)).astype(float) / (1 << 23) - 1


def scene(width, height):
    """Soft colours, soft shapes that no turn or mirror maps onto themselves, and fine texture of low contrast.

    Contrast is low because reducing in linear light and as stored then give nearly the same, so that one reference holds
    for both, while a wrong filter or a pixel's offset does not go unseen.
    """
    y, x = np.mgrid[0:height, 0:width].astype(float)
    u, v = x / width, y / height
    soft = lambda distance: 1 / (1 + np.exp(distance * 1.3))
    disc = soft(np.hypot((u - 0.3) * width, (v - 0.4) * height) - 0.16 * width)
    bar = soft(np.abs(u - 0.72) * width - 0.05 * width) * soft((0.35 - v) * height)
    foot = soft(np.abs(v - 0.86) * height - 0.05 * height) * soft((0.55 - u) * width)
    texture = 7 * np.sin(x * 1.9 + y * 0.7) + 5 * np.sin(x * 0.9 + y * 2.3) + 3 * grain(width, height, 1)
    # a third of the size this is near the finest that pixels can show, where filters differ most
    texture = texture + 9 * np.sin(x * 0.82 + y * 0.2) + 9 * np.sin(x * 0.25 - y * 0.78)
    red = 110 + 60 * u - 45 * disc + 40 * bar + texture
    green = 105 + 50 * v + 40 * disc + 25 * foot + texture * 0.9
    blue = 150 - 50 * u + 20 * disc - 50 * bar + 45 * foot + texture * 0.8
    return np.stack([red, green, blue], axis=-1)


def glare(width, height):
    """Everything that reduction as stored makes too dark: white lines and points on black, a checker of pixels, noise."""
    y, x = np.mgrid[0:height, 0:width]
    lines = np.where((x + 2 * y) % 7 == 0, 255, 12)
    checker = np.where((x + y) % 2 == 0, 250, 5)
    noise = np.where(grain(width, height, 2) > 0.4, 255, 30)
    left, top = x < width // 2, y < height // 2
    luma = np.where(left & top, lines, np.where(left, checker, noise)).astype(float)
    tint = np.stack([np.full_like(luma, 1.0), 0.55 + 0.45 * x / width, 1.0 - 0.5 * y / height], axis=-1)
    return luma[..., None] * tint


def veil(width, height):
    """Alpha from hard to soft, 0 to 255: an opaque middle, a soft rim, holes."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    far = np.hypot((x / width - 0.45) * 1.5, y / height - 0.55)
    soft = np.clip((0.62 - far) * 4, 0, 1) * 255
    hole = (np.abs(x / width - 0.7) < 0.06) & (np.abs(y / height - 0.4) < 0.2)
    return np.where(hole, 0, soft)


def rounded(picture):
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def image(picture):
    pixels = rounded(picture)
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def picture(name):
    """A source as Pillow decodes it."""
    opened = Image.open(name)
    mode = "RGBA" if opened.mode in ("RGBA", "LA", "PA") or "transparency" in opened.info else "RGB"
    return np.asarray(opened.convert(mode)).astype(float)


# Reductions.


def resampled(samples, size, filter=Image.Resampling.LANCZOS, box=None):
    planes = [Image.fromarray(samples[..., at].astype(np.float32)) for at in range(samples.shape[-1])]
    return np.stack([np.asarray(plane.resize(size, filter, box=box)).astype(float) for plane in planes], axis=-1)


def light(stored):
    share = stored / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def stored(light):
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def linear(samples, size, box=None):
    """Resampled in linear light."""
    return stored(resampled(light(samples), size, box=box))


def premultiplied(samples, size, box=None):
    """Resampled with colours weighed by alpha."""
    alpha = samples[..., 3:] / 255
    mixed = resampled(np.concatenate([samples[..., :3] * alpha, samples[..., 3:]], axis=-1), size, box=box)
    share = np.clip(mixed[..., 3:] / 255, 0, 1)
    colours = np.where(share > 0, mixed[..., :3] / np.maximum(share, 1e-6), 0)
    return np.concatenate([np.clip(colours, 0, 255), mixed[..., 3:]], axis=-1)


def middle(size, ratio):
    """The largest box of that ratio in the middle of a picture of that size."""
    width, height = size
    used = (min(width, height * ratio), min(height, width / ratio))
    left, top = (width - used[0]) / 2, (height - used[1]) / 2
    return (left, top, left + used[0], top + used[1])


def canvas(samples, size, at, colour):
    laid = np.empty((size[1], size[0], 3))
    laid[...] = colour
    laid[at[1] : at[1] + samples.shape[0], at[0] : at[0] + samples.shape[1]] = samples
    return laid


def over(samples, colour):
    alpha = samples[..., 3:] / 255
    return samples[..., :3] * alpha + np.array(colour, float) * (1 - alpha)


# Looks.


def gaussian(samples, sigma):
    """The kernel itself, four deviations wide; beyond its edges the picture goes on as its outermost pixels."""
    reach = int(np.ceil(4 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        pad = [(reach, reach) if at == axis else (0, 0) for at in range(3)]
        padded = np.pad(samples, pad, mode="edge")
        length = samples.shape[axis]
        samples = sum(w * np.take(padded, range(at, at + length), axis) for at, w in enumerate(weights))
    return samples


def blurred(samples, sigma):
    if samples.shape[-1] == 3:
        return gaussian(samples, sigma)
    alpha = samples[..., 3:] / 255
    mixed = gaussian(np.concatenate([samples[..., :3] * alpha, samples[..., 3:]], axis=-1), sigma)
    share = np.clip(mixed[..., 3:] / 255, 1e-6, 1)
    return np.concatenate([mixed[..., :3] / share, mixed[..., 3:]], axis=-1)


def luma(samples):
    return samples @ np.array([[0.299], [0.587], [0.114]])


def sharpened(samples, sigma, amount):
    """An unsharp mask on luma: colours keep their distance from each other."""
    grey = luma(samples)
    return samples + amount * (grey - gaussian(grey, sigma))


def tiled(samples, side):
    result = samples.copy()
    for top in range(0, samples.shape[0], side):
        for left in range(0, samples.shape[1], side):
            square = samples[top : top + side, left : left + side]
            result[top : top + side, left : left + side] = square.mean(axis=(0, 1))
    return result


def corners(samples, radius):
    """Alpha by the share of each pixel that lies inside, counted on 16 x 16 points."""
    height, width = samples.shape[:2]
    fine = 16
    y, x = (np.mgrid[0 : height * fine, 0 : width * fine] + 0.5) / fine
    across = np.maximum(np.maximum(radius - x, x - (width - radius)), 0)
    down = np.maximum(np.maximum(radius - y, y - (height - radius)), 0)
    inside = (np.hypot(across, down) <= radius).astype(float)
    share = inside.reshape(height, fine, width, fine).mean(axis=(1, 3))
    return np.concatenate([samples, share[..., None] * 255], axis=-1)


def marked(samples, mark, opacity, at):
    result = samples.copy()
    part = result[at[1] : at[1] + mark.shape[0], at[0] : at[0] + mark.shape[1]]
    alpha = mark[..., 3:] / 255 * opacity
    part[...] = part * (1 - alpha) + mark[..., :3] * alpha
    return result


# What is written.


def save(folder, name, samples):
    (HERE / folder).mkdir(exist_ok=True)
    image(samples).save(HERE / folder / f"{name}.png", optimize=True)


def wrong(name, what, samples):
    """What a mistake would make of a reference."""
    save("wrong", f"{name}--{what.lower().replace('_', '-')}", samples)


def reference(name, samples, **mistakes):
    save("references", name, samples)
    for what, other in mistakes.items():
        wrong(name, what, other)


STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def sources():
    out = HERE / "sources"
    out.mkdir()
    big = image(scene(WIDE, HIGH))
    big.save(out / "scene.png", optimize=True)
    big.save(out / "scene.jpg", quality=92, subsampling="4:2:0", optimize=True)
    big.save(out / "scene-444-progressive.jpg", quality=90, subsampling="4:4:4", progressive=True)
    big.save(out / "scene.webp", quality=90, method=6)
    small = image(scene(*SMALL))
    small.save(out / "small.png", optimize=True)
    image(luma(scene(*SMALL))).save(out / "small-grey.png", optimize=True)
    image(scene(48, 32)).save(out / "tiny.png", optimize=True)
    image(glare(*GLARE)).save(out / "glare.png", optimize=True)
    # without colour and of pixels twice as large: true to light even when decoded at half its size, in luma alone
    coarse = luma(glare(GLARE[0] // 2, GLARE[1] // 2)).repeat(2, axis=0).repeat(2, axis=1).repeat(3, axis=2)
    image(coarse).save(out / "glare.jpg", quality=95, optimize=True)
    # colours under what is transparent are kept, and are of another kind
    veiled = np.concatenate([scene(*SMALL), veil(*SMALL)[..., None]], axis=-1)
    veiled[veiled[..., 3] == 0] = (255, 0, 255, 0)
    image(veiled).save(out / "veil.png", optimize=True)
    image(veiled).save(out / "veil.webp", lossless=True, exact=True)
    image(veiled).quantize(64, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        out / "veil-palette.png", optimize=True
    )
    deep = (luma(scene(*SMALL))[..., 0] * 257 + grain(*SMALL, 3) * 100).clip(0, 65_535).astype(np.uint16)
    Image.fromarray(deep).save(out / "deep-grey.png")
    ink = 255 - rounded(scene(*SMALL)).astype(float)
    black = ink.min(axis=-1, keepdims=True) * 0.6
    plates = np.concatenate([(ink - black) * 255 / (255 - black), black], axis=-1)
    Image.fromarray(rounded(plates), mode="CMYK").save(out / "ink.jpg", quality=95)
    framed = canvas(scene(*SMALL)[6:44, 8:62], SMALL, (8, 6), (236, 232, 228))
    image(framed).save(out / "margins.png", optimize=True)
    mark = np.concatenate([np.full((16, 24, 3), (250.0, 240.0, 30.0)), veil(24, 16)[..., None]], axis=-1)
    image(mark).save(out / "mark.png", optimize=True)
    # whole blocks, of chroma too, so that turning and encoding may change places
    upright = image(scene(64, 48))
    for value in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = value
        turned = upright.transpose(STORED_AS[value]) if value in STORED_AS else upright
        turned.save(out / f"turned-{value}.jpg", quality=96, subsampling="4:2:0", exif=exif, optimize=True)


def fits():
    for name in ("scene.png", "scene.jpg", "scene-444-progressive.jpg", "scene.webp"):
        source = picture(HERE / "sources" / name)
        stem = name.replace(".", "-")
        contained = resampled(source, (60, 40))
        reference(f"contain-{stem}", contained)
        if "progressive" in name:
            continue
        reference(f"cover-{stem}", resampled(source, (50, 50), box=middle((WIDE, HIGH), 1)))
        reference(f"pad-{stem}", canvas(contained, (60, 60), (0, 10), (0x20, 0x40, 0x60)))
        reference(f"squeeze-{stem}", resampled(source, (50, 50)))
    source = picture(HERE / "sources/scene.png")
    both = np.abs(rounded(linear(source, (60, 40))).astype(int) - rounded(resampled(source, (60, 40))))
    print(f"scene: linear light and as stored differ by {both.mean():.2f}, 99 % by {np.percentile(both, 99):.0f}")
    for what in ("NEAREST", "BOX", "BILINEAR", "BICUBIC"):
        wrong("contain-scene-png", what, resampled(source, (60, 40), Image.Resampling[what]))
    wrong("cover-scene-png", "whole", resampled(source, (50, 50)))
    wrong("pad-scene-png", "above", canvas(resampled(source, (60, 40)), (60, 60), (0, 0), (0x20, 0x40, 0x60)))
    source = picture(HERE / "sources/scene.png")
    reference("cover-left", resampled(source, (50, 50), box=(0, 0, HIGH, HIGH)))
    reference("cover-right", resampled(source, (50, 50), box=(WIDE - HIGH, 0, WIDE, HIGH)))
    reference("cover-bottom", resampled(source, (60, 20), box=(0, HIGH - 64, WIDE, HIGH)))
    reference("crop-rectangle", source[30:90, 20:100])
    tiny = picture(HERE / "sources/tiny.png")
    reference("tiny", tiny)
    enlarged = resampled(tiny, (90, 60), Image.Resampling.BICUBIC)
    reference("enlarged", enlarged, nearest=resampled(tiny, (90, 60), Image.Resampling.NEAREST))


def lights():
    for name in ("glare.png", "glare.jpg"):
        source = picture(HERE / "sources" / name)
        stem = name.replace(".", "-")
        reference(f"careful-{stem}", linear(source, (48, 32)), as_stored=resampled(source, (48, 32)))
    checker = picture(FIXTURES / "png/checker-1px.png")
    reference("checker", linear(checker, (60, 60)), as_stored=resampled(checker, (60, 60)))


def orientations():
    upright = picture(HERE / "sources/turned-1.jpg")
    reference("turned", upright)
    reference("turned-contain", resampled(upright, (32, 24)))
    reference("turned-cover", resampled(upright, (30, 40), box=middle((64, 48), 0.75)))


def layouts():
    veiled = picture(HERE / "sources/veil.png")
    straight = resampled(veiled, (40, 27))
    reference("veil", premultiplied(veiled, (40, 27)), straight=straight)
    reference("veil-full", veiled)
    palette = picture(HERE / "sources/veil-palette.png")
    reference("veil-palette", premultiplied(palette, (40, 27)))
    fringe = picture(FIXTURES / "png/fringe-test-magenta-under-alpha.png")
    reference("fringe", premultiplied(fringe, (20, 20)), straight=resampled(fringe, (20, 20)))
    reference("background", over(veiled, (0xFF, 0x88, 0)))
    reference("background-white", over(veiled, (255, 255, 255)))
    deep = np.asarray(Image.open(HERE / "sources/deep-grey.png")).astype(float)[..., None] / 257
    reference("deep-grey", deep)
    reference("deep-grey-reduced", resampled(deep, (36, 24)))
    opened = Image.open(HERE / "sources/ink.jpg")
    ink = np.asarray(opened).astype(float)
    plain = (255 - ink[..., :3]) * (255 - ink[..., 3:]) / 255
    reference("ink", plain, no_black=255 - ink[..., :3])
    reference("ink-reduced", resampled(plain, (36, 24)))


def modern_sources(out):
    """Pictures by the codecs of the day: depths, chroma, alpha, code points, animation."""
    big = image(scene(WIDE, HIGH))
    small = image(scene(*SMALL))
    veiled = Image.open(out / "veil.png")
    big.save(out / "scene.avif", quality=92, subsampling="4:2:0", speed=6)
    small.save(out / "small-444-limited.avif", quality=92, subsampling="4:4:4", speed=6, range="limited")
    small.save(out / "small-422.avif", quality=92, subsampling="4:2:2", speed=6)
    small.convert("L").save(out / "small-grey.avif", quality=92, subsampling="4:0:0", speed=6)
    veiled.save(out / "veil.avif", quality=95, subsampling="4:4:4", speed=6)
    deep = scene(*SMALL).clip(0, 255) / 255
    code = lambda bits: (deep * ((1 << bits) - 1) + 0.5).astype(np.uint16)
    for name, bits, options in [
        ("small-10.avif", 10, {"pixelformat": "420", "matrix": 1}),
        ("small-12.avif", 12, {"pixelformat": "444", "matrix": 9}),
        ("small-lossless.avif", 8, {"pixelformat": "444", "matrix": 0}),
    ]:
        samples = code(bits) if bits > 8 else np.asarray(small)
        level = 100 if bits == 8 else 90
        options |= {"level": level, "speed": 6, "bitspersample": bits, "primaries": 1, "transfer": 13}
        (out / name).write_bytes(imagecodecs.avif_encode(samples, **options))
    # numbers of Display P3, which is said by code points alone
    chart = np.asarray(Image.open(FIXTURES / "colour/patches-p3.png").convert("RGB"))
    (out / "patches-p3.avif").write_bytes(
        imagecodecs.avif_encode(chart, level=100, speed=6, pixelformat="444", primaries=12, transfer=13, matrix=0)
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    small.transpose(STORED_AS[6]).save(out / "turned.avif", quality=95, subsampling="4:4:4", speed=6, exif=exif)
    pillow_heif.register_heif_opener()
    big.save(out / "scene.heic", format="HEIF", quality=92, chroma=420)
    veiled.save(out / "veil.heic", format="HEIF", quality=95, chroma=444)
    wide = np.ascontiguousarray(code(16)).tobytes()
    ten = pillow_heif.from_bytes(mode="RGB;16", size=SMALL, data=wide)
    ten.save(out / "small-10.heic", quality=92)
    for name, samples, options in [
        ("scene", np.asarray(big), {"distance": 1.0}),
        ("small-lossless", np.asarray(small), {"lossless": True}),
        ("small-16", code(16), {"lossless": True}),
        ("small-grey", np.asarray(small.convert("L")), {"distance": 1.0}),
        ("veil", np.asarray(veiled), {"lossless": True}),
    ]:
        (out / f"{name}.jxl").write_bytes(imagecodecs.jpegxl_encode(samples, effort=5, **options))


def box(kind, *parts, version=None, flags=0):
    """A box of a file like MP4 (ISO/IEC 14496-12 section 4.2)."""
    head = b"" if version is None else struct.pack(">I", version << 24 | flags)
    body = head + b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def boxes(data):
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + size]
        at += size


def coded(file):
    """The configuration and the data of the only item of a file."""
    meta = dict(boxes(dict(boxes(file))[b"meta"][4:]))
    properties = list(boxes(dict(boxes(meta[b"iprp"]))[b"ipco"]))
    configuration = next((kind, data) for kind, data in properties if kind in (b"av1C", b"hvcC"))
    size, iloc = meta[b"iloc"][4] & 15, meta[b"iloc"]
    assert size == 4, "lengths of four bytes"
    length = struct.unpack(">I", iloc[-4:])[0]
    return configuration, dict(boxes(file))[b"mdat"][-length:]


def tiled(encode, item, brand, size, tile, columns, properties):
    """A grid of tiles (ISO/IEC 23008-12 section 6.6.2.3), larger than the picture where they do not fit."""
    whole = scene(*size)
    padded = np.pad(whole, ((0, -size[1] % tile[1]), (0, -size[0] % tile[0]), (0, 0)), mode="edge")
    rows = padded.shape[0] // tile[1]
    places = [(x * tile[0], y * tile[1]) for y in range(rows) for x in range(columns)]
    cut = [encode(image(padded[y : y + tile[1], x : x + tile[0]])) for x, y in places]
    (kind, configuration), _ = coded(cut[0])
    parts = [coded(file)[1] for file in cut]
    count = len(parts)
    spatial = lambda side: box(b"ispe", struct.pack(">II", *side), version=0)
    own = [spatial(size), *properties]
    ipco = box(b"ipco", box(kind, configuration), spatial(tile), *own)
    marks = [(1, [3 + n for n in range(len(own))])] + [(n + 2, [1, 2]) for n in range(count)]
    ipma = struct.pack(">I", len(marks)) + b"".join(
        struct.pack(">HB", number, len(which)) + bytes(0x80 | mark for mark in which) for number, which in marks
    )
    infe = lambda number, name, flags: box(b"infe", struct.pack(">HH4sx", number, 0, name), version=2, flags=flags)
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *size)
    items = [infe(1, b"grid", 0)] + [infe(n + 2, item, 1) for n in range(count)]

    def meta(start):
        places = struct.pack(">HHHHII", 1, 1, 0, 1, 0, len(grid))
        for number, part in enumerate(parts):
            places += struct.pack(">HHHHII", number + 2, 0, 0, 1, start, len(part))
            start += len(part)
        return box(
            b"meta",
            box(b"hdlr", struct.pack(">I4s13x", 0, b"pict"), version=0),
            box(b"pitm", struct.pack(">H", 1), version=0),
            box(b"iinf", struct.pack(">H", count + 1), *items, version=0),
            box(b"iref", box(b"dimg", struct.pack(f">HH{count}H", 1, count, *range(2, count + 2))), version=0),
            box(b"iprp", ipco, box(b"ipma", ipma, version=0)),
            box(b"idat", grid),
            box(b"iloc", struct.pack(">BBH", 0x44, 0, count + 1), places, version=1),
            version=0,
        )

    head = box(b"ftyp", brand, struct.pack(">I", 0), b"mif1", brand, b"miaf")
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + box(b"mdat", *parts)


def tiles(out):
    def avif(tile):
        written = io.BytesIO()
        tile.save(written, format="AVIF", quality=95, subsampling="4:4:4", speed=6)
        return written.getvalue()

    def heic(tile):
        written = io.BytesIO()
        tile.save(written, format="HEIF", quality=95, chroma=444)
        return written.getvalue()

    # in the middle, 20 less both ways
    fractions = (104, 1, 76, 1, 0, 1, 0, 1)
    clap = box(b"clap", struct.pack(">8I", *fractions))
    turn, mirror = box(b"irot", b"\x01"), box(b"imir", b"\x01")
    size, tile = (124, 96), (64, 64)
    (out / "tiles.avif").write_bytes(tiled(avif, b"av01", b"avif", size, tile, 2, []))
    (out / "tiles.heic").write_bytes(tiled(heic, b"hvc1", b"heic", size, tile, 2, []))
    (out / "tiles-turned.heic").write_bytes(tiled(heic, b"hvc1", b"heic", size, tile, 2, [clap, turn, mirror]))


def modern():
    out = HERE / "sources"
    modern_sources(out)
    tiles(out)
    upright = ImageOps.exif_transpose(Image.open(FIXTURES / "modern/photo-irot1.avif")).convert("RGB")
    upright = np.asarray(upright).astype(float)
    reference("irot1", resampled(upright, (100, 150)), upside_down=resampled(upright[::-1, ::-1], (100, 150)))
    for file in sorted(out.glob("*.avif")) + sorted(out.glob("*.heic")):
        if file.stem.startswith("patches"):
            continue
        if file.suffix == ".avif" and file.stem in ("small-10", "small-12"):
            # Pillow has libavif drop the lowest bits first
            read = imagecodecs.avif_decode(file.read_bytes()).astype(float)
            reference(f"{file.stem}-avif", read * 255 / ((1 << int(file.stem[-2:])) - 1))
            continue
        opened = ImageOps.exif_transpose(Image.open(file))
        kind = {"L": "L", "RGBA": "RGBA"}.get(opened.mode, "RGB")
        read = np.asarray(opened.convert(kind)).astype(float)
        reference(f"{file.stem}-{file.suffix[1:]}", read.reshape(*read.shape[:2], -1))
    for file in sorted(out.glob("*.jxl")):
        read = imagecodecs.jpegxl_decode(file.read_bytes()).astype(float)
        if file.stem == "small-16":
            # written as light, not as numbers of sRGB
            read = stored(read / 65_535)
        reference(f"{file.stem}-jxl", read.reshape(*read.shape[:2], -1))


def looks():
    small = picture(HERE / "sources/small.png")
    grey = luma(small)
    veiled = picture(HERE / "sources/veil.png")
    reference("blur-2", gaussian(small, 2), less=gaussian(small, 1.6), more=gaussian(small, 2.5))
    reference("blur-8", gaussian(small, 8), less=gaussian(small, 6.5), more=gaussian(small, 10))
    reference("blur-veil", blurred(veiled, 2), straight=gaussian(veiled, 2))
    reference("unsharp", sharpened(small, 1, 1.5), less=sharpened(small, 1, 1), wider=sharpened(small, 1.5, 1.5))
    reference("sharpen", sharpened(small, 0.8, 1), none=small, twice=sharpened(small, 0.8, 2.5))
    reference("brightness", small * 1.3, less=small * 1.25)
    reference("contrast", (small - 127.5) * 1.4 + 127.5, about_mean=(small - small.mean()) * 1.4 + small.mean())
    reference("saturation-less", grey + (small - grey) * 0.5)
    mean = small.mean(axis=-1, keepdims=True)
    reference("saturation-more", grey + (small - grey) * 1.8, by_mean=mean + (small - mean) * 1.8)
    reference("gamma", 255 * (small / 255) ** (1 / 1.6), inverse=255 * (small / 255) ** 1.6)
    reference("grey", grey.repeat(3, axis=-1))
    reference("pixelate", tiled(small, 10), first=np.kron(small[::10, ::10], np.ones((10, 10, 1)))[:48, :72])
    turned = {90: 3, 180: 2, 270: 1}
    for angle, quarters in turned.items():
        reference(f"rotate-{angle}", np.rot90(small, quarters))
    reference("flip-h", small[:, ::-1])
    reference("flip-v", small[::-1])
    reference("flip-hv", small[::-1, ::-1])
    reference("flip-then-rotate", np.rot90(small[:, ::-1], 3), other_order=np.rot90(small, 3)[:, ::-1])
    reference("trim-sides", small[5:-9, 3:-7])
    margins = picture(HERE / "sources/margins.png")
    reference("trim-margins", margins[6:44, 8:62])
    reference("padding", canvas(small, (88, 60), (10, 4), (0x33, 0x66, 0x99)))
    reference("border", canvas(small, (80, 56), (4, 4), (255, 0, 0)))
    reference("radius", corners(small, 20), less=corners(small, 17))
    mark = picture(HERE / "sources/mark.png")
    reference("watermark", marked(small, mark, 0.5, (72 - 24 - 4, 48 - 16 - 2)))


def patches():
    """The middles of the patches of the charts, converted to sRGB by lcms; what nothing converts is wrong."""
    def middles(chart):
        height, width = chart.shape[:2]
        rows = [height * (2 * row + 1) // 6 for row in range(3)]
        columns = [width * (2 * column + 1) // 8 for column in range(4)]
        near = lambda at: slice(at - 4, at + 4)
        return np.stack([np.stack([chart[near(y), near(x)].mean(axis=(0, 1)) for x in columns]) for y in rows])

    srgb = ImageCms.createProfile("sRGB")
    for profile in ("p3", "a98", "gbr-swapped"):
        for kind in ("png", "jpg"):
            opened = Image.open(FIXTURES / f"colour/patches-{profile}.{kind}")
            embedded = ImageCms.ImageCmsProfile(io.BytesIO(opened.info["icc_profile"]))
            intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
            converted = ImageCms.profileToProfile(opened, embedded, srgb, renderingIntent=intent)
            plain = middles(np.asarray(opened).astype(float))
            reference(f"patches-{profile}-{kind}", middles(np.asarray(converted).astype(float)), plain=plain)


def main():
    parts = (sources, fits, lights, orientations, layouts, modern, looks, patches)
    if not sys.argv[1:]:
        for folder in ("sources", "references", "wrong"):
            shutil.rmtree(HERE / folder, ignore_errors=True)
    for part in parts:
        if part.__name__ in (sys.argv[1:] or [part.__name__]):
            part()
    for folder in ("sources", "references", "wrong"):
        files = list((HERE / folder).iterdir())
        print(f"{folder}: {len(files)} files, {sum(file.stat().st_size for file in files)} bytes")


if __name__ == "__main__":
    main()
