#!/usr/bin/env python3
"""Makes the small files that fuzzing starts from: fuzz/seeds/pictures and fuzz/seeds/weights.

Needs numpy and pillow; with the versions in requirements-fuzz-seeds.txt the files come out as they are committed.
"""

import io
import json
import struct
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

SEEDS = Path(__file__).resolve().parent.parent / "fuzz" / "seeds"
LARGEST = 2000
ORIENTATION = 0x0112
SETTINGS = 'impasto = "0.1.0"\ncommand = "stylize"\n'

# Convolutions before each pool.
VGG11 = (1, 1, 2, 2, 2)
VGG19 = (2, 2, 4, 4, 4)

Tensors = dict[str, tuple[int, ...]]


def main() -> None:
    for folder, files in (("pictures", pictures()), ("weights", weights())):
        (SEEDS / folder).mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            assert len(data) < LARGEST, f"{name} has {len(data)} bytes"
            (SEEDS / folder / name).write_bytes(data)


def pictures() -> dict[str, bytes]:
    """A 9×7 picture in every format and kind of pixel that impasto reads."""
    y, x = np.mgrid[0:7, 0:9]
    colours = np.stack([x * 28, y * 36, (x * y) * 4], axis=2).astype(np.uint8)
    alpha = (x * 31).astype(np.uint8)
    rgb = Image.fromarray(colours)
    rgba = Image.fromarray(np.dstack([colours, alpha]))
    grey = rgb.convert("L")
    grey_alpha = rgba.convert("LA")
    palette = rgb.quantize(5)
    deep = Image.fromarray((x * 7000 + y).astype(np.uint16))
    floats = Image.fromarray((x / 8 - 0.1).astype(np.float32))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    photograph = photograph_exif()

    return {
        "rgb.png": encoded(rgb, "PNG"),
        "rgba.png": encoded(rgba, "PNG"),
        "grey.png": encoded(grey, "PNG"),
        "grey_alpha.png": encoded(grey_alpha, "PNG"),
        "deep.png": encoded(deep, "PNG"),
        "bits.png": encoded(grey.convert("1"), "PNG"),
        "palette.png": encoded(palette, "PNG"),
        "palette_transparent.png": encoded(palette, "PNG", transparency=1),
        "turned.png": encoded(rgb, "PNG", exif=exif),
        "photograph.png": encoded(rgb, "PNG", exif=photograph, dpi=(300, 300)),
        "profile.png": encoded(rgb, "PNG", icc_profile=colour_profile()),
        "grey_profile.png": encoded(grey_alpha, "PNG", icc_profile=grey_profile()),
        "settings.png": encoded(rgb, "PNG", pnginfo=settings()),
        "rgb.jpg": encoded(rgb, "JPEG"),
        "progressive.jpg": encoded(rgb, "JPEG", progressive=True),
        "subsampled.jpg": encoded(rgb, "JPEG", subsampling="4:2:0", quality=20),
        "grey.jpg": encoded(grey, "JPEG"),
        "cmyk.jpg": encoded(rgb.convert("CMYK"), "JPEG"),
        "turned.jpg": encoded(rgb, "JPEG", exif=exif),
        "photograph.jpg": encoded(rgb, "JPEG", exif=photograph, dpi=(300, 200)),
        "profile.jpg": encoded(rgb, "JPEG", icc_profile=colour_profile()),
        "settings.jpg": encoded(rgb, "JPEG", comment=b"impasto settings\n" + SETTINGS.encode()),
        "lossy.webp": encoded(rgb, "WEBP", quality=60),
        "lossy_alpha.webp": encoded(rgba, "WEBP", quality=60),
        "lossless.webp": encoded(rgb, "WEBP", lossless=True),
        "lossless_alpha.webp": encoded(rgba, "WEBP", lossless=True),
        "animated.webp": encoded(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(180)]),
        "turned.webp": encoded(rgb, "WEBP", exif=exif),
        "photograph.webp": encoded(rgb, "WEBP", exif=photograph, icc_profile=colour_profile()),
        "rgb.tiff": encoded(rgb, "TIFF"),
        "photograph.tiff": encoded(rgb, "TIFF", exif=photograph, icc_profile=colour_profile(), dpi=(300, 200)),
        "rgba_deflate.tiff": encoded(rgba, "TIFF", compression="tiff_adobe_deflate"),
        "grey_lzw.tiff": encoded(grey, "TIFF", compression="tiff_lzw"),
        "rgb_packbits.tiff": encoded(rgb, "TIFF", compression="packbits"),
        "rgb_jpeg.tiff": encoded(rgb, "TIFF", compression="jpeg"),
        "fax.tiff": encoded(grey.convert("1"), "TIFF", compression="group4"),
        "deep.tiff": encoded(deep, "TIFF"),
        "floats.tiff": encoded(floats, "TIFF"),
        "palette.tiff": encoded(palette, "TIFF"),
        "rgb.bmp": encoded(rgb, "BMP"),
        "rgba.bmp": encoded(rgba, "BMP"),
        "palette.bmp": encoded(palette, "BMP"),
        "bits.bmp": encoded(grey.convert("1"), "BMP"),
        "runs.bmp": run_length_bmp(),
    }


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photograph_exif() -> Image.Exif:
    """What a camera writes: main tags, those of the photograph, and those of the place."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[ORIENTATION] = "Maker", "Model", 8
    exif[0x013B], exif[0x8298] = "Artist", "Copyright"
    exif.get_ifd(0x8769).update({0x9003: "2020:01:02 03:04:05", 0x920A: 50.0, 0xA434: "Lens", 0x927C: b"note"})
    exif.get_ifd(0x8825).update({0: b"\2\3\0\0", 1: "N", 2: (51.0, 28.0, 40.5)})
    return exif


def colour_profile() -> bytes:
    """Display P3's primaries with plain gammas."""
    xyz = [
        (b"rXYZ", (0.51512, 0.2412, -0.00105)),
        (b"gXYZ", (0.29198, 0.69225, 0.04189)),
        (b"bXYZ", (0.1571, 0.06657, 0.78407)),
        (b"wtpt", (0.9642, 1.0, 0.8249)),
    ]
    tags = [(name, b"XYZ \0\0\0\0" + b"".join(fixed(value) for value in values)) for name, values in xyz]
    return icc_profile(b"RGB ", tags + [(name, gamma(1.8)) for name in (b"rTRC", b"gTRC", b"bTRC")])


def grey_profile() -> bytes:
    white = b"XYZ \0\0\0\0" + b"".join(fixed(value) for value in (0.9642, 1.0, 0.8249))
    return icc_profile(b"GRAY", [(b"wtpt", white), (b"kTRC", gamma(1.5))])


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(value * 256))


def fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def icc_profile(space: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    """A display profile, version 4: a header, a table of tags, and their data."""
    at = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, value in tags:
        table += name + struct.pack(">II", at + len(data), len(value))
        data += value
    size = 128 + len(table) + len(data)
    header = struct.pack(">I4xI4s4s4s6H4s28x", size, 0x04000000, b"mntr", space, b"XYZ ", 2000, 1, 1, 0, 0, 0, b"acsp")
    header += b"".join(fixed(value) for value in (0.9642, 1.0, 0.8249))
    return header.ljust(128, b"\0") + table + data


def settings() -> PngInfo:
    info = PngInfo()
    info.add_itxt("impasto", SETTINGS)
    return info


def run_length_bmp() -> bytes:
    """A 6×3 BMP of 8-bit runs, which pillow does not write: runs, a jump, single pixels, and the end."""
    palette = bytes(value for grey in range(0, 256, 64) for value in (grey, grey, grey, 0))
    pixels = bytes([6, 1, 0, 0, 0, 2, 2, 0, 4, 3, 0, 0, 0, 3, 1, 2, 3, 0, 3, 0, 0, 1])
    start = 14 + 40 + len(palette)
    header = struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start)
    information = struct.pack("<IiiHHIIiiII", 40, 6, 3, 1, 8, 1, len(pixels), 2835, 2835, 4, 0)
    return header + information + palette + pixels


def weights() -> dict[str, bytes]:
    """Networks one channel wide, in each naming and number type, and files that are none."""
    whole = safetensors(convolutions(VGG11, layer_name), "F32", {"network": "vgg11", "preprocessing": "caffe"})
    return {
        "layers_f32.safetensors": whole,
        "layers_bf16.safetensors": safetensors(convolutions((2, 1), layer_name), "BF16"),
        "torchvision_f16.safetensors": safetensors(convolutions(VGG11, torchvision_name), "F16", {"format": "pt"}),
        "first_block.safetensors": safetensors(convolutions(VGG19[:1], layer_name), "F32", {"network": "vgg19"}),
        "dense.safetensors": safetensors(convolutions(VGG11, layer_name) | dense(), "F16"),
        "timm.safetensors": safetensors({**convolutions((1,), torchvision_name), "head.fc.weight": (2, 1)}, "F16"),
        "unknown_type.safetensors": safetensors(convolutions((1,), layer_name), "F64"),
        "normalised.safetensors": safetensors({"features.1.running_mean": (1,)}, "F32"),
        "no_tensor.safetensors": safetensors({}, "F32"),
        "cut_short.safetensors": whole[:-5],
        "page.html": b"<!DOCTYPE html><title>404</title>",
        "pointer.txt": b"version https://git-lfs.github.com/spec/v1\nsize 574674772\n",
    }


def layer_name(block: int, number: int, _index: int) -> str:
    return f"conv{block}_{number}"


def torchvision_name(_block: int, _number: int, index: int) -> str:
    return f"features.{index}"


def convolutions(counts: tuple[int, ...], name) -> Tensors:
    """The tensors' shapes; `name` takes the block, the number in it, and the index among all layers."""
    shapes, inputs, index = {}, 3, 0
    for block, count in enumerate(counts, start=1):
        for number in range(1, count + 1):
            stem = name(block, number, index)
            shapes[f"{stem}.weight"] = (1, inputs, 3, 3)
            shapes[f"{stem}.bias"] = (1,)
            inputs, index = 1, index + 2
        index += 1
    return shapes


def dense() -> Tensors:
    return {"fc6.weight": (1, 49), "fc6.bias": (1,), "fc7.weight": (1, 1, 1, 1), "fc7.bias": (1,)}


def safetensors(shapes: Tensors, dtype: str, metadata: dict[str, str] | None = None) -> bytes:
    """A file with zeros for numbers."""
    size = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}[dtype]
    header: dict = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + size * int(np.prod(shape))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


if __name__ == "__main__":
    main()
