"""Pictures go in and come out in every form."""

from __future__ import annotations

import io
import os
import pathlib
import tempfile
import unittest
import warnings
from typing import Any

import numpy as np
from PIL import Image, ImageCms

import impasto
from common import CONTENT, quick, scene, strokes


def png(array: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG", **options)
    return file.getvalue()


class Inputs(unittest.TestCase):
    def setUp(self) -> None:
        self.expected = quick()

    def assert_same(self, content: object) -> None:
        np.testing.assert_array_equal(quick(content), self.expected)

    def test_every_form_of_a_picture_gives_the_same(self) -> None:
        array = scene()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "größe.png")
            pathlib.Path(path).write_bytes(png(array))
            forms = {
                "path": path,
                "PathLike": pathlib.Path(path),
                "bytes": png(array),
                "bytearray": bytearray(png(array)),
                "memoryview": memoryview(png(array)),
                "PIL": Image.fromarray(array),
                "PIL with alpha left opaque": Image.fromarray(array).convert("P", palette=Image.Palette.ADAPTIVE),
                "uint16": array.astype(np.uint16) * 257,
                "uint16 of the other byte order": (array.astype(np.uint16) * 257).astype(">u2"),
                "float32": array.astype(np.float32) / 255,
                "float64": array / 255.0,
                "read-only": np.frombuffer(array.tobytes(), np.uint8).reshape(array.shape),
            }
            for name, form in forms.items():
                with self.subTest(name):
                    if name.startswith("PIL with"):
                        # A palette of 256 colours is near, not the same.
                        self.assertEqual(quick(form).shape, self.expected.shape)
                    else:
                        self.assert_same(form)

    def test_arrays_may_lie_in_memory_in_any_way(self) -> None:
        array = scene()
        wide = np.zeros((96, 192, 5), np.uint8)
        wide[::2, 1::3, 1:4] = array
        for name, view in {
            "strided": wide[::2, 1::3, 1:4],
            "Fortran's order": np.asfortranarray(array),
            "negative strides": array[::-1, ::-1].copy()[::-1, ::-1],
            "BGR read backwards": array[..., ::-1].copy()[..., ::-1],
            "planes": array.transpose(2, 0, 1).copy().transpose(1, 2, 0),
        }.items():
            with self.subTest(name):
                self.assertFalse(view.flags.c_contiguous)
                self.assert_same(view)

    def test_grey_is_three_equal_planes(self) -> None:
        grey = scene()[..., 0]
        expected = quick(np.repeat(grey[..., None], 3, axis=2))
        for form in (grey, grey[..., None], Image.fromarray(grey), grey / 255.0):
            np.testing.assert_array_equal(quick(form), expected)

    def test_alpha_comes_back(self) -> None:
        alpha = np.zeros((48, 64, 1), np.uint8)
        alpha[:, 20:] = 255
        picture = np.concatenate([scene(), alpha], axis=2)
        made = quick(picture)
        self.assertEqual(made.shape, (48, 64, 4))
        np.testing.assert_array_equal(made[..., 3:], alpha)
        self.assertEqual(quick(picture, output="pil").mode, "RGBA")
        np.testing.assert_array_equal(quick(Image.fromarray(picture)), made)

    def test_bool_arrays_are_masks(self) -> None:
        mask = np.zeros((48, 64), bool)
        mask[:, :32] = True
        made = quick(mask=mask)
        np.testing.assert_array_equal(made[:, 32:], scene()[:, 32:])
        self.assertTrue((made[:, :32] != scene()[:, :32]).any())

    def test_pil_pictures_keep_their_orientation_and_profile(self) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6  # turned by a quarter
        turned = Image.open(io.BytesIO(png(scene(), exif=exif)))
        self.assertEqual(quick(turned).shape, (64, 48, 3))
        lab = ImageCms.createProfile("LAB")
        profile = ImageCms.ImageCmsProfile(lab).tobytes()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            quick(Image.open(io.BytesIO(png(scene(), icc_profile=profile))))
        self.assertIn("colour profile is not used", " ".join(str(warning.message) for warning in caught))

    def test_modes_of_pil(self) -> None:
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16", "F"):
            with self.subTest(mode):
                image = Image.fromarray(scene()).convert("L" if mode in ("I;16", "F", "LA") else "RGB")
                if mode == "F":
                    image = Image.fromarray(np.asarray(image, np.float32) / 255)
                elif mode == "I;16":
                    image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
                else:
                    image = image.convert(mode)
                self.assertEqual(quick(image).shape[:2], (48, 64))

    def test_what_is_no_picture_is_refused(self) -> None:
        for content, exception, said in [
            (3, TypeError, "content: expected a picture"),
            (scene().astype(np.int64), TypeError, "content: expected an array of uint8"),
            (scene().astype(complex), TypeError, "content"),
            (np.zeros((48, 64, 5), np.uint8), ValueError, r"content: expected an array of H×W.*found \[48, 64, 5\]"),
            (np.zeros((0, 64, 3), np.uint8), ValueError, "content: expected an array of H×W"),
            (np.zeros((1, 2, 3, 4), np.uint8), ValueError, "content: expected an array of H×W"),
            (np.full((48, 64, 3), 200.0), ValueError, "content: floats are of 0 to 1, found 200"),
            (np.full((48, 64, 3), np.nan), ValueError, "content: .*finite"),
            (b"no picture", impasto.PictureError, "content: "),
            ("missing.png", FileNotFoundError, "missing.png"),
            (pathlib.Path("missing.png"), FileNotFoundError, "missing.png"),
            (os.path.dirname(CONTENT), OSError, "demo"),
            (np.zeros((2, 2, 3), np.uint8), None, ""),
        ]:
            with self.subTest(repr(content)[:40]):
                if exception is None:
                    with self.assertRaisesRegex(impasto.PictureError, "at least 16×16"):
                        quick(content, size=0)
                    continue
                with self.assertRaisesRegex(exception, said):
                    quick(content)

    def test_floats_a_little_outside_are_clamped(self) -> None:
        floats = scene() / 255.0
        np.testing.assert_array_equal(
            quick(np.where(floats > 0.9, 1.1, floats)), quick(np.where(floats > 0.9, 1.0, floats))
        )

    def test_the_arguments_are_not_changed(self) -> None:
        content, style = scene(), strokes()
        quick(content, style)
        np.testing.assert_array_equal(content, scene())
        np.testing.assert_array_equal(style, strokes())


class Outputs(unittest.TestCase):
    def test_samples(self) -> None:
        made = {output: quick(output=output) for output in ("uint8", "uint16", "float32", "pil")}
        for output in ("uint8", "uint16", "float32"):
            self.assertEqual((made[output].shape, made[output].dtype), ((48, 64, 3), np.dtype(output)))
            self.assertTrue(made[output].flags.writeable)
            self.assertTrue(made[output].flags.c_contiguous)
        np.testing.assert_array_equal(np.asarray(made["pil"]), made["uint8"])
        np.testing.assert_array_equal(np.floor(255 * made["float32"] + np.float32(0.5)), made["uint8"])
        np.testing.assert_array_equal(np.rint(65535 * made["float32"].astype(float)), made["uint16"])

    def test_save_and_load(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name in ("a.png", "a.webp", "a.tiff"):
                path = os.path.join(folder, name)
                impasto.save(scene(), path)
                np.testing.assert_array_equal(impasto.load(path), scene())
            deep = quick(output="uint16")
            impasto.save(deep, pathlib.Path(folder) / "deep.png")
            np.testing.assert_array_equal(impasto.load(pathlib.Path(folder) / "deep.png", output="uint16"), deep)
            impasto.save(deep, os.path.join(folder, "flat.png"), depth=8)
            with Image.open(os.path.join(folder, "flat.png")) as flat:
                self.assertEqual(flat.mode, "RGB")
            self.assertEqual(impasto.load(CONTENT, longest=32).shape, (48, 64, 3))
            self.assertEqual(sorted(os.listdir(folder)), ["a.png", "a.tiff", "a.webp", "deep.png", "flat.png"])
            for path, exception in [
                ("a.gif", impasto.ArgumentError),
                ("no/a.png", FileNotFoundError),
                ("a", impasto.ArgumentError),
            ]:
                with self.assertRaises(exception):
                    impasto.save(scene(), os.path.join(folder, path))
            with self.assertRaisesRegex(impasto.ArgumentError, "JPEG has no samples of 16 bits"):
                impasto.save(deep, os.path.join(folder, "a.jpg"))
            with self.assertRaisesRegex(ValueError, "depth: .*found 7"):
                impasto.save(scene(), os.path.join(folder, "a.png"), depth=7)  # type: ignore[arg-type]

    def test_what_a_photographs_file_says_of_itself_is_kept(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            photograph, made = os.path.join(folder, "photo.jpg"), os.path.join(folder, "made.jpg")
            exif = Image.Exif()
            exif[0x010F], exif[0x013B] = "A camera", "An artist"
            exif.get_ifd(0x8825)[1] = "N"
            Image.fromarray(scene()).save(photograph, exif=exif, dpi=(300, 300))

            def kept(**options: Any) -> Any:
                impasto.save(scene(), made, **options)
                with Image.open(made) as picture:
                    return picture.getexif(), picture.info.get("dpi")

            found, density = kept(metadata_of=pathlib.Path(photograph))
            self.assertEqual((found[0x010F], found[0x013B], density), ("A camera", "An artist", (300, 300)))
            self.assertEqual(dict(found.get_ifd(0x8825)), {})
            self.assertEqual(kept(metadata_of=photograph, keep_location=True)[0].get_ifd(0x8825)[1], "N")
            self.assertNotIn(0x010F, kept()[0])
            with self.assertRaises(FileNotFoundError):
                kept(metadata_of=os.path.join(folder, "missing.jpg"))
            # There is no file to take the place from, also where the picture itself is one.
            for picture in (scene(), photograph):
                with self.assertRaisesRegex(ValueError, "keep_location: .*metadata_of, which is None"):
                    impasto.save(picture, os.path.join(folder, "new.jpg"), keep_location=True)
            self.assertFalse(os.path.exists(os.path.join(folder, "new.jpg")))


if __name__ == "__main__":
    unittest.main()
