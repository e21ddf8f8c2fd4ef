"""The loss and its gradient as a function of an array."""

from __future__ import annotations

import unittest

import numpy as np
from scipy.optimize import Bounds, minimize

import impasto
from common import scene, strokes


class Objective(unittest.TestCase):
    def setUp(self) -> None:
        self.objective = impasto.Objective(scene(), strokes(), 64, laplacian_weight=2)
        self.start = self.objective.content

    def test_shapes_and_types(self) -> None:
        self.assertEqual(self.objective.shape, (48, 64, 3))
        self.assertEqual((self.start.shape, self.start.dtype), ((48, 64, 3), np.float32))
        np.testing.assert_allclose(self.start, scene() / 255.0, atol=1e-6)
        expected = self.objective(self.start)
        for picture in (
            self.start,
            self.start.astype(np.float64),
            self.start.ravel(),
            self.start.astype(np.float64).ravel(),
            np.asfortranarray(self.start),
            self.start[:, ::-1].copy()[:, ::-1],
        ):
            loss, gradient = self.objective(picture)
            self.assertIsInstance(loss, float)
            self.assertEqual((gradient.shape, gradient.dtype), (picture.shape, picture.dtype))
            self.assertEqual(loss, expected[0])
            np.testing.assert_array_equal(gradient.reshape(self.objective.shape), expected[1])

    def test_the_gradient_is_that_of_the_loss(self) -> None:
        random = np.random.default_rng(0)
        picture = np.clip(self.start + random.normal(scale=0.05, size=self.start.shape), 0.05, 0.95)
        _, gradient = self.objective(picture)
        self.assertGreater(np.abs(gradient).max(), 0)
        for _ in range(3):
            # Along half of the gradient, by steps small enough for the loss to be straight there, and large enough for
            # float32. The slope was within 0.0005 of the expected.
            direction = gradient * random.integers(0, 2, size=gradient.shape)
            direction /= np.abs(direction).max()
            step = 3e-4
            ahead, behind = (self.objective(picture + sign * step * direction)[0] for sign in (1, -1))
            slope, expected = (ahead - behind) / (2 * step), float((gradient * direction).sum())
            self.assertLess(abs(slope / expected - 1), 0.003)

    def test_the_layout_is_rows_of_pixels(self) -> None:
        # Only total variation: its gradient at one bright pixel is known.
        objective = impasto.Objective(scene(), strokes(), 64, content_weight=1e-30, style_weight=1e-30, tv_weight=1)
        picture = np.full((48, 64, 3), 0.5)
        picture[10, 20, 1] += 0.25
        loss, gradient = objective(picture)
        self.assertAlmostEqual(loss, 4 * 0.25**2 / picture.size, places=9)
        self.assertAlmostEqual(gradient[10, 20, 1], 8 * 0.25 / picture.size, places=9)
        self.assertAlmostEqual(gradient[10, 21, 1], -2 * 0.25 / picture.size, places=9)
        self.assertAlmostEqual(gradient[10, 20, 0], 0, places=9)

    def test_losses_are_told(self) -> None:
        loss, _ = self.objective(self.start)
        losses = self.objective.losses
        self.assertEqual(losses["total"], loss)
        weighted = losses["content"] + 10 * losses["style"] + 10 * losses["tv"] + 2 * losses["laplacian"]
        self.assertAlmostEqual(weighted, loss, places=5)
        self.assertEqual(losses["content"], 0)
        self.assertEqual(set(losses["content_layers"]), {"relu4_2"})

    def test_scipy_takes_it_as_it_is(self) -> None:
        found = minimize(
            self.objective,
            self.start.ravel(),
            jac=True,
            method="L-BFGS-B",
            bounds=Bounds(0, 1),
            options={"maxiter": 10},
        )
        self.assertLess(found.fun, 0.7 * self.objective(self.start)[0])

    def test_without_a_content_or_a_style(self) -> None:
        texture = impasto.Objective(None, strokes(), 64)
        self.assertIsNone(texture.content)
        self.assertEqual(texture.shape, (64, 64, 3))
        self.assertGreater(texture(np.full(texture.shape, 0.5))[0], 0)
        reconstruction = impasto.Objective(scene(), None, 64, tv_weight=0)
        self.assertEqual(reconstruction(self.start)[0], 0)
        with self.assertRaisesRegex(ValueError, "content, style: neither"):
            impasto.Objective(None, None)

    def test_what_is_no_picture_of_its_shape_is_refused(self) -> None:
        for picture, exception, said in [
            (self.start[1:], ValueError, r"picture: expected 48×64×3 values.*found \[47, 64, 3\]"),
            (self.start.transpose(2, 0, 1), ValueError, r"found \[3, 48, 64\]"),
            (scene(), TypeError, "picture: expected an array of float32 or float64"),
            (np.full(self.start.shape, np.nan), ValueError, "picture: expected finite values, found NaN"),
        ]:
            with self.assertRaisesRegex(exception, said):
                self.objective(picture)


if __name__ == "__main__":
    unittest.main()
