"""Tests of convert_weights.py on small files of each kind, made here.

python -m unittest discover -s scripts
"""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy as np
from safetensors import safe_open

import convert_weights
import pth_fixtures
import vgg_names
from pth_fixtures import Call, Global

try:
    import torch
except ImportError:
    torch = None

WIDTHS = (2, 3, 4, 3, 2)
HIDDEN, CLASSES = 5, 4


def small_weights(network: str, classifier: bool = True) -> dict[str, np.ndarray]:
    """Weights of a slim network by impasto's names, every value different."""
    shapes, channels = {}, 3
    for layer in vgg_names.convolutions(network):
        width, side = WIDTHS[int(layer[4]) - 1], vgg_names.kernel_side(network, layer)
        shapes[layer] = (width, channels, side, side)
        channels = width
    if classifier:
        inputs = channels * 49
        for layer, outputs in zip(vgg_names.DENSE, (HIDDEN, HIDDEN, CLASSES)):
            shapes[layer] = (outputs, inputs)
            inputs = outputs
    generator, weights = np.random.default_rng(5), {}
    for layer, shape in shapes.items():
        weights[f"{layer}.weight"] = generator.normal(size=shape).astype(np.float32)
        weights[f"{layer}.bias"] = generator.normal(size=shape[0]).astype(np.float32)
    return weights


def torchvision_named(network: str, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights as torchvision names them."""
    names = {layer: f"features.{n}" for layer, n in vgg_names.torchvision_indices(network).items()}
    names |= {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}
    return rename_layers(weights, names)


def rename_layers(weights: dict[str, np.ndarray], names: dict[str, str]) -> dict[str, np.ndarray]:
    """The weights under other layer names."""
    result = {}
    for name, value in weights.items():
        layer, part = name.split(".")
        result[f"{names[layer]}.{part}"] = value
    return result


def channels_last(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights as TensorFlow orders them, fc6 for maps flattened as height, width, channel."""
    result = {}
    for name, value in weights.items():
        if value.ndim == 4:
            value = value.transpose(2, 3, 1, 0)
        elif name == "fc6.weight":
            value = value.reshape(len(value), -1, 7, 7).transpose(2, 3, 1, 0).reshape(-1, len(value))
        elif value.ndim == 2:
            value = value.T
        result[name] = value
    return result


class ConversionTest(unittest.TestCase):
    """Common to all: a folder to work in, the command, and comparisons."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.output = self.folder / "out.safetensors"

    def convert(self, path: Path, *options: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """Tensors and metadata of the converted file."""
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
            code = convert_weights.main([str(path), "-o", str(self.output), *options])
        self.assertEqual((code, errors.getvalue()), (0, ""))
        with safe_open(self.output, "np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()

    def refused(self, path: Path, expected: str, *options: str) -> None:
        """Checks that there is one line of error, which says what is expected, and no file."""
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
            code = convert_weights.main([str(path), "-o", str(self.output), *options])
        self.assertEqual(code, 1)
        self.assertEqual(errors.getvalue().count("\n"), 1, errors.getvalue())
        self.assertIn(expected, errors.getvalue())
        self.assertEqual([p for p in self.folder.iterdir() if p.suffix in (".safetensors", ".tmp")], [])

    def same(self, found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
        self.assertEqual(sorted(found), sorted(expected))
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)

    def write_pth(self, arrays: dict[str, np.ndarray], legacy: bool = False) -> Path:
        """A checkpoint made without PyTorch."""
        path = self.folder / "weights.pth"
        content, data = pth_fixtures.state_dict(arrays, legacy)
        if legacy:
            pth_fixtures.write_legacy(path, content, data, itemsize=4)
        else:
            pth_fixtures.write_archive(path, content, data)
        return path

    def write_npz(self, arrays: dict[str, np.ndarray]) -> Path:
        path = self.folder / "weights.npz"
        np.savez(path, **arrays)
        return path


class PyTorch(ConversionTest):
    def test_torchvision_names_in_both_containers(self):
        for network in ("vgg11", "vgg13", "vgg16", "vgg19"):
            weights = small_weights(network)
            for legacy in (False, True):
                path = self.write_pth(torchvision_named(network, weights), legacy)
                found, metadata = self.convert(path)
                self.same(found, weights)
                self.assertEqual(metadata["network"], network)
                self.assertEqual(metadata["preprocessing"], "torchvision-rgb")
                self.assertIn("legacy" if legacy else "zip", metadata["converted_from"])

    def test_timm_names(self):
        weights = small_weights("vgg13")
        names = {layer: f"features.{n}" for layer, n in vgg_names.torchvision_indices("vgg13").items()}
        names |= {"fc6": "pre_logits.fc1", "fc7": "pre_logits.fc2", "fc8": "head.fc"}
        arrays = rename_layers(weights, names)
        arrays["pre_logits.fc1.weight"] = weights["fc6.weight"].reshape(HIDDEN, -1, 7, 7)
        arrays["pre_logits.fc2.weight"] = weights["fc7.weight"].reshape(HIDDEN, HIDDEN, 1, 1)
        found, _ = self.convert(self.write_pth(arrays))
        self.same(found, weights)

    def test_own_names_are_of_caffe(self):
        weights = small_weights("vgg16-c", classifier=False)
        found, metadata = self.convert(self.write_pth(weights))
        self.same(found, weights)
        self.assertEqual((metadata["network"], metadata["preprocessing"]), ("vgg16-c", "caffe-bgr"))

    def test_strided_views_and_number_formats(self):
        weights = small_weights("vgg11", classifier=False)
        weights["conv2_1.weight"] = np.asfortranarray(weights["conv2_1.weight"])
        for dtype in (np.float16, np.float64):
            arrays = {name: value.astype(dtype) for name, value in weights.items()}
            content, data = pth_fixtures.state_dict(arrays)
            strided = arrays["conv2_1.weight"]
            data[str(list(arrays).index("conv2_1.weight"))] = strided.tobytes(order="A")
            path = self.folder / "weights.pth"
            pth_fixtures.write_archive(path, {"epoch": 3, "state_dict": content}, data)
            found, _ = self.convert(path)
            self.same(found, {name: value.astype(np.float32) for name, value in arrays.items()})

    def test_a_pickle_that_calls_is_refused(self):
        proof = self.folder / "proof"
        call = Call(Global("os", "system"), (f"touch '{proof}'",))
        path = self.folder / "weights.pth"
        pth_fixtures.write_archive(path, {"features.0.weight": call}, {})
        self.refused(path, "os.system")
        pth_fixtures.write_legacy(path, {"features.0.weight": call}, {}, itemsize=4)
        self.refused(path, "os.system")
        self.assertFalse(proof.exists())

    def test_views_past_their_storage_are_refused(self):
        content, data = pth_fixtures.state_dict(small_weights("vgg11", classifier=False))
        call = content["conv1_1.weight"]
        storage, offset, shape, _, *rest = call.arguments
        path = self.folder / "weights.pth"
        for offset, strides, message in (
            (1, (27, 9, 3, 1), "reaches past the end"),
            (0, (270, 9, 3, 1), "reaches past the end"),
            (-5, (27, 9, 3, 1), "strides"),
        ):
            call.arguments = (storage, offset, shape, strides, *rest)
            pth_fixtures.write_archive(path, content, data)
            self.refused(path, message)

    def test_truncated_files_are_refused(self):
        arrays = torchvision_named("vgg11", small_weights("vgg11"))
        for legacy in (False, True):
            path = self.write_pth(arrays, legacy)
            whole = path.read_bytes()
            for length in (0, 10, 100, len(whole) // 2, len(whole) - 1):
                path.write_bytes(whole[:length])
                self.refused(path, "weights.pth")

    def test_batch_normalisation_is_refused(self):
        arrays = torchvision_named("vgg11", small_weights("vgg11"))
        arrays["features.1.running_mean"] = np.zeros(2, np.float32)
        self.refused(self.write_pth(arrays), "batch normalisation")

    @unittest.skipUnless(torch, "PyTorch is not installed")
    def test_files_of_pytorch_itself(self):
        weights = small_weights("vgg16")
        tensors = {n: torch.tensor(a) for n, a in torchvision_named("vgg16", weights).items()}
        tensors["features.2.weight"] = tensors["features.2.weight"].to(memory_format=torch.channels_last)
        tensors["features.2.bias"] = torch.nn.Parameter(tensors["features.2.bias"])
        path = self.folder / "weights.pth"
        for is_zip in (True, False):
            for dtype in (torch.float32, torch.float16, torch.bfloat16):
                typed = {name: tensor.to(dtype) for name, tensor in tensors.items()}
                torch.save(typed, path, _use_new_zipfile_serialization=is_zip)
                found, _ = self.convert(path)
                rounded = {n: torch.tensor(a).to(dtype).float().numpy() for n, a in weights.items()}
                self.same(found, rounded)

    @unittest.skipUnless(torch, "PyTorch is not installed")
    def test_pytorch_reads_the_files_made_here(self):
        arrays = torchvision_named("vgg11", small_weights("vgg11"))
        for legacy in (False, True):
            loaded = torch.load(self.write_pth(arrays, legacy), weights_only=True)
            self.same({name: tensor.numpy() for name, tensor in loaded.items()}, arrays)


class Keras(ConversionTest):
    def write_h5(self, weights, name_of, group="") -> Path:
        """A Keras file; `name_of(layer, "kernel" or "bias")` is the path of a dataset."""
        names = {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}
        path = self.folder / "weights.h5"
        with h5py.File(path, "w") as file:
            file.create_group("block1_pool")
            for name, value in channels_last(weights).items():
                layer, part = name.split(".")
                layer = names.get(layer) or f"block{layer[4]}_conv{layer[6]}"
                file[group + name_of(layer, "kernel" if part == "weight" else part)] = value
        return path

    def test_without_top_in_the_old_names(self):
        def name_of(layer, part):
            return f"{layer}/{layer}_{'W' if part == 'kernel' else 'b'}_1:0"

        for network in ("vgg16", "vgg19"):
            weights = small_weights(network, classifier=False)
            found, metadata = self.convert(self.write_h5(weights, name_of))
            self.same(found, weights)
            self.assertEqual((metadata["network"], metadata["preprocessing"]), (network, "caffe-bgr"))
            self.assertIn("convolutions only", metadata["note"])

    def test_full_in_the_new_names_and_in_a_saved_model(self):
        weights = small_weights("vgg16")
        for group in ("", "model_weights/"):
            path = self.write_h5(weights, lambda layer, part: f"{layer}/{layer}/{part}:0", group)
            with h5py.File(path, "a") as file:
                file["optimizer_weights/block1_conv1/kernel/m" if group else "top"] = np.zeros(3)
            found, metadata = self.convert(path)
            self.same(found, weights)
            self.assertIn("classifier", metadata["note"])

    def test_a_truncated_file_is_refused(self):
        path = self.write_h5(small_weights("vgg16"), lambda layer, part: f"{layer}/{part}:0")
        path.write_bytes(path.read_bytes()[:3000])
        self.refused(path, "HDF5")


class NumPy(ConversionTest):
    def test_own_names(self):
        weights = small_weights("vgg19")
        found, metadata = self.convert(self.write_npz(weights))
        self.same(found, weights)
        self.assertEqual(metadata["preprocessing"], "caffe-bgr")

    def test_channels_last_takes_rgb(self):
        weights = small_weights("vgg16")
        arrays = {
            name.replace(".weight", "_W").replace(".bias", "_b"): value
            for name, value in channels_last(weights).items()
        }
        path = self.write_npz(arrays)
        as_stored, _ = self.convert(path, "--channel-order", "bgr")
        self.same(as_stored, weights)
        turned, metadata = self.convert(path)
        weights["conv1_1.weight"] = weights["conv1_1.weight"][:, ::-1]
        self.same(turned, weights)
        self.assertEqual(metadata["preprocessing"], "caffe-bgr")

    def test_arrays_of_objects_are_refused(self):
        path = self.write_npz({"conv1_1.weight": np.array([{}], dtype=object)})
        self.refused(path, "broken NumPy archive")


class Options(ConversionTest):
    def test_preprocessing_brings_its_channel_order(self):
        weights = small_weights("vgg11", classifier=False)
        path = self.write_pth(torchvision_named("vgg11", weights))
        found, metadata = self.convert(path, "--preprocessing", "caffe")
        self.same(found, weights)
        self.assertEqual(metadata["preprocessing"], "caffe-bgr")
        turned, _ = self.convert(path, "--preprocessing", "caffe", "--channel-order", "rgb")
        np.testing.assert_array_equal(turned["conv1_1.weight"], weights["conv1_1.weight"][:, ::-1])

    def test_metadata_and_half_precision(self):
        weights = small_weights("vgg11", classifier=False)
        options = ("--network", "vgg11-lrn", "--dtype", "f16", "--source", "a test")
        found, metadata = self.convert(self.write_npz(weights), *options)
        self.same(found, {name: value.astype(np.float16) for name, value in weights.items()})
        self.assertEqual(
            metadata,
            {
                "network": "vgg11-lrn",
                "preprocessing": "caffe-bgr",
                "source": "a test",
                "note": "convolutions only, stored as F16",
                "converted_from": "weights.npz (NumPy)",
            },
        )


class BadInput(ConversionTest):
    def test_files_that_are_none_of_these(self):
        path = self.folder / "weights.pth"
        self.refused(path, "No such file")
        for content in (b"", b"hello, world", b"PK\x03\x04 not really", bytes(1000)):
            path.write_bytes(content)
            self.refused(path, "neither a PyTorch")
        self.refused(self.folder, "directory")

    def test_missing_and_misshapen_layers(self):
        for name, change, expected in (
            ("conv3_2.bias", None, "conv3_2.bias is missing; vgg11 needs it"),
            ("conv3_2.weight", None, "not those of any VGG"),
            ("conv3_2.weight", lambda w: w[:, 1:], "conv3_2.weight should be n×4×3×3, it is 4×3×3×3"),
            ("conv3_2.bias", lambda b: b[1:], "conv3_2.bias should be 4, it is 3"),
            ("fc6.weight", lambda w: w[:, 1:], "fc6.weight should be n×98, it is 5×97"),
            ("fc8.weight", None, "fc8.weight is missing"),
            ("conv1_1.bias", lambda b: b * np.nan, "conv1_1.bias has values that are not finite"),
            ("conv1_1.bias", lambda b: b.astype(int), "conv1_1.bias should hold real numbers"),
        ):
            with self.subTest(name=name, expected=expected):
                weights = small_weights("vgg11")
                if change:
                    weights[name] = change(weights[name])
                else:
                    del weights[name]
                self.refused(self.write_npz(weights), expected)

    def test_values_too_large_for_half_precision(self):
        weights = small_weights("vgg11", classifier=False)
        weights["conv1_1.bias"] += 1e6
        self.refused(self.write_npz(weights), "too large for float16", "--dtype", "f16")

    def test_a_network_that_it_is_not(self):
        path = self.write_npz(small_weights("vgg19", classifier=False))
        self.refused(path, "not those of vgg16", "--network", "vgg16")

    def test_an_output_folder_that_does_not_exist(self):
        path = self.write_npz(small_weights("vgg11"))
        self.output = self.folder / "nowhere" / "out.safetensors"
        self.refused(path, "nowhere")


if __name__ == "__main__":
    unittest.main()
