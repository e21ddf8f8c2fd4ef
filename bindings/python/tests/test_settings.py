"""Every control changes the picture, or is refused with its name and value."""

from __future__ import annotations

import datetime
import inspect
import os
import tempfile
import time
import unittest
from pathlib import Path

import numpy as np

import impasto
from impasto import _impasto
from common import quick, scene, strokes

LEFT = np.zeros((48, 64), np.uint8)
LEFT[:, :32] = 255
MAP = np.repeat(LEFT[..., None], 3, axis=2)
STYLES = [strokes(), strokes(seed=3)]

CPUS = Path("/proc/cpuinfo")
HAS_BF16 = CPUS.exists() and "avx512_bf16" in CPUS.read_text()

#: For each control of the picture: settings with it, and settings that it is compared with.
CONTROLS = {
    "size": ({"size": 80}, {}),
    "blend": ({"style": STYLES, "blend": [3, 1]}, {"style": STYLES}),
    "style_scale": ({"style_scale": 2}, {}),
    "style_size": ({"style_size": 40}, {}),
    "colors": ({"colors": "content"}, {}),
    "mask": ({"mask": LEFT}, {}),
    "style_masks": ({"style": STYLES, "style_masks": [LEFT, 255 - LEFT]}, {"style": STYLES}),
    "regions": ({"regions": [MAP, np.full((48, 48, 3), 255, np.uint8) - MAP[:, 8:56]]}, {}),
    "content_weight": ({"content_weight": 20}, {}),
    "style_weight": ({"style_weight": 60}, {}),
    "tv_weight": ({"tv_weight": 500}, {}),
    "laplacian_weight": ({"laplacian_weight": 50}, {}),
    "loss": ({"loss": "gatys"}, {}),
    "statistic": ({"statistic": "gram"}, {}),
    "content_layers": ({"content_layers": ["relu3_1"]}, {}),
    "style_layers": ({"style_layers": {"relu1_1": 1.0}}, {}),
    "pooling": ({"pooling": "average"}, {}),
    "edges": ({"edges": "zero"}, {}),
    "init": ({"init": "noise"}, {}),
    "seed": ({"init": "noise", "seed": 1}, {"init": "noise"}),
    "steps": ({"steps": 3}, {}),
    "scales": ({"scales": 2, "steps": 4}, {"steps": 4}),
    "optimizer": ({"optimizer": "adam"}, {}),
    "preprocessing": ({"preprocessing": "torchvision"}, {}),
    # They change how values are rounded, which steps make large enough for eight bits.
    "isa": ({"isa": "portable", "steps": 12}, {"steps": 12}),
    "convolution": ({"convolution": "im2col", "steps": 12}, {"steps": 12}),
    "precision": ({"precision": "bf16"}, {}),
    "max_time": ({"max_time": 0.0}, {}),
}

#: What changes nothing in the picture, each with a value.
OF_THE_WORK = {
    "weights": impasto.Weights("slim"),
    "threads": 3,
    "max_memory": "4G",
    "checkpoint": None,
    "checkpoint_every": None,
    "resume": False,
    "progress": lambda state: None,
    "output": "uint8",
    "details": False,
}


def painted(settings: dict) -> np.ndarray:
    settings = dict(settings)
    return quick(None, settings.pop("style", None), **settings)


class Controls(unittest.TestCase):
    def test_there_is_a_test_for_every_argument(self) -> None:
        arguments = set(inspect.signature(impasto.stylize).parameters)
        self.assertEqual(arguments, {"content", "style", *CONTROLS, *OF_THE_WORK})

    def test_each_changes_the_picture(self) -> None:
        for name, (settings, others) in CONTROLS.items():
            with self.subTest(name):
                if name == "precision" and not HAS_BF16:
                    with self.assertRaisesRegex(impasto.ArgumentError, "precision: .*AVX-512 BF16"):
                        painted(settings)
                    continue
                made, other = painted(settings), painted(others)
                self.assertTrue(made.shape != other.shape or (made != other).any())

    def test_the_work_changes_nothing(self) -> None:
        expected = quick()
        for name, value in OF_THE_WORK.items():
            with self.subTest(name):
                np.testing.assert_array_equal(quick(**{name: value}), expected)

    def test_defaults_are_those_of_the_library(self) -> None:
        signature = inspect.signature(impasto.stylize).parameters
        for name, value in _impasto.defaults().items():
            default = signature[name].default
            self.assertEqual(list(default) if isinstance(default, tuple) else default, value, name)
        # Set to what they are by default, they change nothing.
        settings = {"style_weight": 10, "tv_weight": 10, "statistic": "wasserstein", "edges": "replicate"}
        layers = ["relu1_1=0.4", "relu2_1=0.24", ("relu3_1", 0.16), "relu4_1=0.12", ("relu5_1", 0.08)]
        np.testing.assert_array_equal(quick(**settings, style_layers=layers, scales=1), quick())

    def test_layers_are_written_in_several_ways(self) -> None:
        expected = quick(style_layers=[("relu2_1", 0.5), ("relu3_1", 0.25)])
        for layers in (
            ["relu2_1=0.5", "relu3_1=0.25"],
            {"relu2_1": 0.5, "relu3_1": 0.25},
            ("relu2_1=.5", ("relu3_1", 0.25)),
        ):
            np.testing.assert_array_equal(quick(style_layers=layers), expected)
        np.testing.assert_array_equal(quick(content_layers="relu4_2"), quick())

    def test_wrong_values_are_named(self) -> None:
        for settings, said in [
            ({"size": -1}, "size: must be 0 to 1000000, found -1"),
            ({"size": 10**30}, "size: .*found 1000000000000000"),
            ({"steps": 0}, "steps: must be 1 to 1000000, found 0"),
            ({"scales": 0}, "scales: must be 1 to 40, found 0"),
            ({"scales": "all"}, 'scales: expected auto or 1 to 40, found "all"'),
            ({"content_weight": 0}, "content_weight: must be above 0.*found 0.0"),
            ({"style_weight": -1}, "style_weight: must be above 0.*found -1.0"),
            ({"style_weight": float("nan")}, "style_weight: .*found NaN"),
            ({"tv_weight": -0.5}, "tv_weight: must be 0 or above.*found -0.5"),
            ({"laplacian_weight": float("inf")}, "laplacian_weight: .*found inf"),
            ({"loss": "l2"}, 'loss: expected relative or gatys, found "l2"'),
            ({"statistic": "mean"}, 'statistic: expected gram or wasserstein, found "mean"'),
            ({"statistic": "wasserstein", "loss": "gatys"}, "statistic: .*not wasserstein"),
            ({"pooling": "min"}, 'pooling: expected max or average, found "min"'),
            ({"edges": "none"}, 'edges: expected zero or replicate or wrap, found "none"'),
            ({"colors": "none"}, 'colors: expected style or content or match, found "none"'),
            ({"optimizer": "sgd"}, 'optimizer: expected lbfgs or adam, found "sgd"'),
            ({"preprocessing": "x"}, 'preprocessing: expected caffe or torchvision, found "x"'),
            ({"isa": "sse"}, 'isa: this CPU has .*not "sse"'),
            ({"convolution": "fft"}, 'convolution: expected auto or im2col or winograd, found "fft"'),
            ({"precision": "f8"}, 'precision: expected f32 or bf16, found "f8"'),
            ({"precision": "bf16", "convolution": "im2col"}, "precision: .*im2col"),
            ({"content_layers": []}, "content_layers: at least one layer is needed"),
            ({"content_layers": "relu9_9"}, 'content_layers: no layer "relu9_9"'),
            ({"style_layers": ["relu1_1", "relu1_1"]}, "style_layers: relu1_1 is given twice"),
            ({"style_layers": ["relu1_1=x"]}, "style_layers: expected a number behind =, found 'x'"),
            ({"style_layers": {"relu1_1": 0}}, "style_layers: the weight of relu1_1 must be above 0.*found 0.0"),
            ({"style_scale": 0}, "style_scale: must be 0.01 to 100, found 0.0"),
            ({"style_scale": [1, 2]}, "style_scale: expected one value, or one for each style, found 2 for 1"),
            ({"style_size": 0}, "style_size: must be 1 to 1000000, found 0"),
            ({"style_size": 9, "style_scale": 1}, "style_size: goes without style_scale"),
            ({"style": STYLES, "blend": [1]}, "blend: expected a share for each style, found 1 for 2"),
            ({"style": STYLES, "blend": [1, -2]}, "blend: must be 0 or above, found -2"),
            ({"style": STYLES, "blend": [0, 0]}, "blend: one must be above 0"),
            ({"style": impasto.Style(strokes()), "blend": [1]}, "blend: is set by the Style already"),
            ({"style": []}, "style: expected a picture, or several, found none"),
            ({"style_masks": [LEFT, LEFT]}, "style_masks: expected one for each style, found 2 for 1"),
            ({"regions": [MAP]}, "regions: expected two maps.*found 1"),
            ({"regions": [scene(), scene()]}, "regions: the content's map has more than 32 colours"),
            ({"regions": [MAP, MAP], "style_masks": [LEFT]}, "regions: goes without style_masks"),
            ({"mask": np.zeros((48, 64), np.uint8)}, "mask: "),
            ({"seed": 1}, "seed: is of the noise"),
            ({"seed": -1, "init": "noise"}, "seed: must be 0 to .*found -1"),
            ({"threads": -1}, "threads: must be 0 to 1024, found -1"),
            ({"max_memory": 0}, "max_memory: must be 1 to .*found 0"),
            ({"max_memory": "4X"}, "max_memory: expected bytes.*found '4X'"),
            ({"max_time": -1}, "max_time: must be 0 seconds or more, found -1"),
            ({"max_time": "1 day"}, "max_time: expected seconds, or a time.*found '1 day'"),
            ({"resume": True}, "resume: goes with checkpoint"),
            ({"output": "jpeg"}, 'output: expected uint8, uint16, float32 or pil, found "jpeg"'),
        ]:
            with self.subTest(said):
                with self.assertRaisesRegex(ValueError, "^" + said) as caught:
                    painted(settings)
                self.assertIsInstance(caught.exception, impasto.Error)
                self.assertNotIn("\n", str(caught.exception))

    def test_wrong_types_are_named(self) -> None:
        for settings, said in [
            ({"size": 64.5}, "size: expected a whole number, found 64.5"),
            ({"steps": "9"}, "steps: expected a whole number, found '9'"),
            ({"style_weight": "9"}, "style_weight: expected a number, found '9'"),
            ({"loss": 3}, "loss: expected a str, found 3"),
            ({"style_layers": [3]}, "style_layers: expected a layer's name"),
            ({"weights": 3}, "weights: expected a path, a name or a Weights, found int"),
            ({"progress": 3}, "progress: expected a function"),
            ({"mask": 3}, "mask: expected a picture"),
            ({"style_wieght": 3}, "unexpected keyword argument 'style_wieght'"),
        ]:
            with self.subTest(said), self.assertRaisesRegex(TypeError, said):
                painted(settings)
        for function in (impasto.estimate, impasto.Objective):
            with self.assertRaisesRegex(TypeError, "unexpected keyword argument 'progress'"):
                function(scene(), strokes(), progress=True)

    def test_numpys_numbers_are_numbers(self) -> None:
        made = quick(size=np.int64(64), steps=np.uint8(2), style_weight=np.float32(10), blend=np.array([1.0]))
        np.testing.assert_array_equal(made, quick())


class Jobs(unittest.TestCase):
    def test_the_bytes_do_not_depend_on_threads(self) -> None:
        for threads in (1, 2, 5):
            np.testing.assert_array_equal(quick(threads=threads), quick())

    def test_a_texture(self) -> None:
        made = impasto.texture(strokes(), 64, steps=2)
        self.assertEqual(made.shape, (64, 64, 3))
        self.assertTrue((made != impasto.texture(strokes(), 64, steps=2, seed=1)).any())
        self.assertEqual(impasto.texture(strokes(), 70, steps=1, tileable=True).shape, (64, 64, 3))
        with self.assertRaisesRegex(ValueError, "edges: .*wrap"):
            impasto.texture(strokes(), 64, tileable=True, edges="zero")

    def test_a_reconstruction(self) -> None:
        near = impasto.reconstruct(scene(), "conv1_1", 64, steps=20, scales=1)
        self.assertLess(np.abs(near.astype(float) - scene()).mean(), 20)
        with self.assertRaisesRegex(ValueError, "content_layers: no layer"):
            impasto.reconstruct(scene(), "conv9_1", 64)

    def test_a_style_is_kept(self) -> None:
        style = impasto.Style(STYLES, blend=[2, 1])
        expected = quick(None, STYLES, blend=[2, 1])
        for _ in range(2):
            np.testing.assert_array_equal(quick(None, style), expected)
        finer = quick(None, style, style_scale=0.75)
        np.testing.assert_array_equal(finer, quick(None, STYLES, blend=[2, 1], style_scale=0.75))
        with self.assertRaisesRegex(FileNotFoundError, "missing.png"):
            impasto.Style("missing.png")
        # Its targets are computed once: with a large style, the second job is much sooner done.
        large = impasto.Style(strokes(), style_size=1200)
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            quick(None, large, steps=1)
            seconds.append(time.perf_counter() - start)
        self.assertLess(seconds[1], 0.5 * seconds[0])

    def test_weights(self) -> None:
        weights = impasto.Weights()
        self.assertEqual((weights.architecture, weights.preprocessing), ("vgg19", "caffe"))
        self.assertIn("relu4_2", weights.layers)
        self.assertIn("slim", impasto.Weights.available())
        file = os.path.join(os.path.dirname(__file__), "../../../weights/impasto-slim.safetensors")
        for opened in (file, impasto.Weights(file), impasto.Weights(file, mmap=False)):
            np.testing.assert_array_equal(quick(weights=opened), quick())
        self.assertEqual(impasto.Weights(preprocessing="torchvision").preprocessing, "torchvision")
        with self.assertRaisesRegex(impasto.WeightsError, "no-such-network"):
            quick(weights="no-such-network")
        with self.assertRaisesRegex(FileNotFoundError, "missing.safetensors"):
            impasto.Weights("missing.safetensors")
        with self.assertRaisesRegex(impasto.WeightsError, "test_settings.py"):
            impasto.Weights(__file__)

    def test_memory_and_time(self) -> None:
        with self.assertRaisesRegex(MemoryError, "64×48.*is available") as caught:
            quick(max_memory=1000)
        self.assertIsInstance(caught.exception, impasto.OutOfMemoryError)
        for limit in (0.0, "0s", datetime.timedelta(0)):
            _, details = quick(max_time=limit, details=True)
            self.assertEqual(details.end, "time_up")
        _, details = quick(max_time="1h30m", details=True)
        self.assertEqual((details.end, details.steps), ("done", 2))
        self.assertGreaterEqual(details.evaluations, 2)
        self.assertGreater(details.losses["total"], 0)

    def test_a_loss_that_is_not_finite(self) -> None:
        with self.assertRaises(impasto.NotFiniteError) as caught:
            quick(style_weight=1e38, style_layers="relu1_1=1e38")
        self.assertIsInstance(caught.exception, ArithmeticError)
        self.assertEqual(caught.exception.picture.shape, (48, 64, 3))

    def test_a_checkpoint_goes_on_to_the_same_bytes(self) -> None:
        expected = quick(steps=6, scales=2)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "job.checkpoint")
            settings = {"steps": 6, "scales": 2, "checkpoint": path}
            _, details = quick(**settings, progress=lambda state: state.step < 4, details=True)
            self.assertEqual(details.end, "ended")
            self.assertTrue(os.path.exists(path))
            with self.assertRaisesRegex(FileExistsError, "resume=True"):
                quick(**settings)
            with self.assertRaisesRegex(impasto.CheckpointError, "job.checkpoint"):
                quick(**settings, resume=True, style_weight=3)
            np.testing.assert_array_equal(quick(**settings, resume=True), expected)
            self.assertEqual(os.listdir(folder), [])
            np.testing.assert_array_equal(quick(**settings, resume=True), expected)
            with self.assertRaisesRegex(impasto.CheckpointError, "photo"):
                impasto.save(scene(), os.path.join(folder, "photo.png"))
                quick(checkpoint=os.path.join(folder, "photo.png"), resume=True)
            np.testing.assert_array_equal(impasto.load(os.path.join(folder, "photo.png")), scene())

    def test_an_estimate(self) -> None:
        estimate = impasto.estimate(scene(), strokes(), 64, steps=3)
        self.assertEqual([(s.width, s.height, s.steps) for s in estimate.scales], [(64, 48, 3)])
        self.assertGreater(estimate.seconds, 0)
        self.assertGreater(estimate.memory, 10**7)

    def test_the_version_and_the_instruction_set(self) -> None:
        self.assertRegex(impasto.__version__, r"^\d+\.\d+\.\d+")
        self.assertIn(impasto.instruction_set(), ("portable", "neon", "avx2", "avx512"))
        np.testing.assert_array_equal(quick(isa=impasto.instruction_set()), quick())


if __name__ == "__main__":
    unittest.main()
