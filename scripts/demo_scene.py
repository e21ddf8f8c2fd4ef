"""A landscape that nobody photographed: a lighthouse over a mountain lake at sunset."""

import numpy as np

from demo_noise import fractal_noise, smooth_noise, smoothstep

OVERSAMPLING = 3
HORIZON = 0.56
SUN = (1.105, 0.315)

# The sky from the zenith to the horizon: (height, colour).
SKY = (
    (0.00, (44, 74, 138)),
    (0.14, (92, 122, 178)),
    (0.27, (186, 166, 188)),
    (0.38, (248, 190, 146)),
    (0.56, (255, 222, 150)),
)
SUNLIGHT = np.array([255, 236, 176])
CLOUD_LIT, CLOUD_SHADE = np.array([255, 190, 140]), np.array([140, 122, 160])
WATER = np.array([26, 54, 84])

# Mountain ridges from far to near: (mean height, roughness, colour in shade, colour in light).
RIDGES = (
    (0.365, 0.150, (132, 134, 172), (214, 176, 176)),
    (0.455, 0.090, (82, 98, 138), (150, 134, 148)),
    (0.520, 0.050, (38, 68, 88), (88, 98, 96)),
)


def render(seed: int, width: int, height: int) -> np.ndarray:
    """The scene, as height×width×3 values of 0–255."""
    scene = Scene(np.random.default_rng(seed), width * OVERSAMPLING, height * OVERSAMPLING)
    scene.sky()
    scene.mountains()
    scene.lake()
    scene.sailboat(0.80, 0.685, 0.125)
    scene.headland()
    scene.house(0.452, 0.610)
    scene.lighthouse(0.300, 0.575)
    scene.pines()
    fine = scene.picture.reshape(height, OVERSAMPLING, width, OVERSAMPLING, 3)
    return np.clip(np.rint(fine.mean(axis=(1, 3))), 0, 255).astype(np.uint8)


class Scene:
    """A picture painted from back to front; x and y are in picture heights, y downwards."""

    def __init__(self, generator: np.random.Generator, columns: int, rows: int):
        self.generator = generator
        self.y, self.x = (np.mgrid[0:rows, 0:columns] + 0.5) / rows
        self.shape = (rows, columns)
        self.picture = np.zeros((rows, columns, 3))

    def cover(self, mask: np.ndarray, colour) -> None:
        """Paints a colour (one, or one a pixel) where `mask` (0–1) says."""
        self.picture += np.asarray(mask, float)[..., None] * (np.asarray(colour) - self.picture)

    def polygon(self, corners: list[tuple[float, float]], colour) -> None:
        """Paints a convex polygon, its corners clockwise on the picture."""
        inside = np.ones(self.shape, bool)
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1]):
            inside &= (x1 - x0) * (self.y - y0) - (y1 - y0) * (self.x - x0) >= 0
        self.cover(inside, colour)

    def profile(self, cells: int, octaves: int) -> np.ndarray:
        """Noise in 0–1 along x alone."""
        return fractal_noise(self.generator, (1, self.shape[1]), (1, cells), octaves)[0]

    def sky(self) -> None:
        """The gradient, the sun with its glow, and streaks of cloud lit from below."""
        stops, colours = zip(*SKY)
        self.picture[:] = np.stack([np.interp(self.y, stops, channel) for channel in zip(*colours)], axis=-1)
        distance = np.hypot(self.x - SUN[0], self.y - SUN[1])
        self.cover(0.75 * np.exp(-((distance / 0.20) ** 1.3)), SUNLIGHT)
        self.cover(smoothstep(0.0435, 0.0415, distance), (255, 250, 226))
        billows = fractal_noise(self.generator, self.shape, (9, 3), 5)
        above = smoothstep(0.53, 0.62, billows + 0.06 * np.sin(9 * self.y + 2 * self.x))
        density = above * smoothstep(0.50, 0.36, self.y) * smoothstep(0.0, 0.10, self.y + 0.05)
        lit = np.clip(1.4 - 2.2 * (billows - 0.53) / 0.12 * 0.5, 0, 1)[..., None]
        self.cover(0.9 * density, CLOUD_SHADE + lit * (CLOUD_LIT - CLOUD_SHADE))

    def mountains(self) -> None:
        """Ridges in the haze, each face lit or in shade by its slope towards the sun."""
        for number, (mean, rough, shade, light) in enumerate(RIDGES):
            bulk = mean - rough * (2 * self.profile(4 + 3 * number, 4) - 1)
            crest = bulk - 0.25 * rough * (self.profile(40, 4) - 0.5)
            body = self.y > crest
            rock = fractal_noise(self.generator, self.shape, (40, 40), 4)
            fallen = self.y - crest
            # A spur runs down from each peak: look up the crest's slope where this one began.
            origin = self.x - 0.45 * fallen + 0.05 * (rock - 0.5)
            slope = np.interp(origin, self.x[0], np.gradient(bulk) * len(self.y))
            lit = smoothstep(-0.35, 0.45, slope + 1.2 * (rock - 0.5))[..., None]
            self.cover(body, np.array(shade) + lit * (np.array(light) - np.array(shade)))
            if number == 0:
                snow = smoothstep(0.075, 0.055, fallen + 0.14 * (rock - 0.5))
                self.cover(body * snow, (186, 186, 214) + lit * np.array([66, 54, 12]))
            haze = smoothstep(mean - 0.06, HORIZON, self.y) * (0.55 - 0.15 * number)
            self.cover(body * haze, (250, 206, 160))

    def lake(self) -> None:
        """The water: what stands above it mirrored and rippled, and the sun's path."""
        rows, columns = self.shape
        depth = (self.y - HORIZON) / (1 - HORIZON)
        near = np.clip(depth, 0, 1)
        ripple = fractal_noise(self.generator, self.shape, (150, 7), 2) - 0.5
        swell = fractal_noise(self.generator, self.shape, (34, 3), 2) - 0.5
        wave = (0.35 * ripple + 0.65 * swell) * near
        mirrored = 2 * HORIZON - self.y + 0.22 * wave
        source = np.clip(mirrored * rows, 0, HORIZON * rows - 1).astype(int)
        reflection = self.picture[source, np.arange(columns)[None, :]]
        sheen = (0.18 + 0.42 * near + 0.5 * wave)[..., None]
        water = reflection + np.clip(sheen, 0, 0.8) * (WATER - reflection)
        path = np.exp(-(((self.x - SUN[0]) / (0.035 + 0.10 * near)) ** 2))
        sparkle = smoothstep(0.50, 0.62, ripple + 0.5 + 0.3 * path - 0.12)
        water += (0.75 * path * sparkle)[..., None] * (SUNLIGHT - water)
        self.cover(depth >= 0, water)
        self.cover(smoothstep(0.006, 0.0, np.abs(self.y - HORIZON)) * 0.5, (255, 226, 176))

    def sailboat(self, x: float, y: float, height: float) -> None:
        """A small boat with two sails, and its reflection."""
        for flip, strength in ((-0.6, 0.65), (1.0, 1.0)):

            def at(dx, dy, flip=flip):
                return (x + dx * height, y - dy * height * flip)

            def shape(corners, colour, flip=flip, strength=strength):
                points = [at(*corner) for corner in corners]
                inked = np.array(colour) * strength + WATER * (1 - strength)
                self.polygon(points if flip > 0 else points[::-1], inked)

            shape([(0.02, 1.0), (0.42, 0.16), (0.02, 0.16)], (252, 244, 226))
            shape([(-0.03, 0.92), (-0.03, 0.16), (-0.32, 0.16)], (226, 112, 72))
            shape([(-0.40, 0.11), (0.50, 0.11), (0.36, -0.02), (-0.30, -0.02)], (84, 48, 44))

    def headland(self) -> None:
        """The near shore: a grassy hill to the left that falls to rocks, with its reflection."""
        rough = self.profile(26, 4) - 0.5
        x = self.x[0]
        fall = smoothstep(0.86, 0.44, x)
        crest = 0.80 - 0.245 * fall**0.8 + 0.05 * x + 0.020 * rough
        edge = 0.720 + 0.42 * smoothstep(0.88, 0.0, x) ** 0.8 + 0.03 * (self.profile(30, 4) - 0.5)
        shadow = smoothstep(0.05, 0.03, self.y - edge) * (self.y > edge)
        self.cover(0.55 * shadow * smoothstep(0.0, 0.05, edge - crest), WATER * 0.6)
        body = (self.y > crest) & (self.y < edge)
        grass = fractal_noise(self.generator, self.shape, (70, 50), 4)
        light = smoothstep(0.25, 0.85, grass + 0.5 * (x - 0.42) - 0.45 * (self.y - crest))
        low, high = np.array([36, 62, 46]), np.array([150, 150, 74])
        self.cover(body, low + light[..., None] * (high - low))
        stone = smooth_noise(self.generator, self.shape, (60, 70))
        tones = np.array([66, 58, 60]) + 92 * smoothstep(0.35, 0.75, stone)[..., None]
        self.cover(body * smoothstep(0.060, 0.035, edge - self.y + 0.05 * (stone - 0.5)), tones)
        self.cover(body * smoothstep(0.007, 0.002, self.y - crest), (206, 186, 104))

    def lighthouse(self, x: float, base: float) -> None:
        """A white tower with red bands, a gallery and a lit lantern."""
        top, foot, head = 0.185, 0.058, 0.036
        part = (self.y - top) / (base - top)
        half = head + (foot - head) * part
        across = (self.x - x) / half
        tower = (np.abs(across) < 1) & (part > 0) & (self.y < base + 0.010 * (1 - across**2))
        band = (np.floor(np.minimum(part, 0.99) * 5 - 0.07 * (1 - across**2)) % 2).astype(bool)
        shade = 0.56 + 0.46 * smoothstep(-1.0, 0.55, across) - 0.10 * smoothstep(0.7, 1, across)
        white, red = np.array([250, 240, 226]), np.array([206, 52, 44])
        self.cover(tower, np.where(band[..., None], red, white) * shade[..., None])
        for height in (0.30, 0.47):
            window = (np.abs(self.x - x - 0.004) < 0.0085) & (np.abs(self.y - height) < 0.016)
            self.cover(window, (52, 48, 66))
        self.box(x, 0.030, 0.112, top, (255, 226, 128))
        for offset in (-0.029, -0.010, 0.010, 0.029):
            self.box(x + offset, 0.0022, 0.112, top, (62, 50, 56))
        self.box(x, 0.050, top - 0.012, top + 0.004, (70, 56, 62))
        self.box(x, 0.036, 0.106, 0.116, (70, 56, 62))
        self.polygon([(x, 0.060), (x + 0.040, 0.108), (x - 0.040, 0.108)], (164, 42, 40))
        self.polygon([(x, 0.060), (x + 0.040, 0.108), (x + 0.004, 0.108)], (214, 70, 54))
        self.box(x, 0.0025, 0.035, 0.064, (70, 56, 62))

    def box(self, x: float, half: float, top: float, bottom: float, colour) -> None:
        """A rectangle about x."""
        self.cover((np.abs(self.x - x) < half) & (self.y > top) & (self.y < bottom), colour)

    def house(self, x: float, base: float) -> None:
        """The keeper's house: a lit gable, a roof, a door and two warm windows."""
        self.box(x, 0.072, base - 0.075, base + 0.012, (196, 176, 168))
        self.polygon(
            [(x + 0.030, base - 0.135), (x + 0.072, base - 0.075), (x + 0.072, base + 0.012)]
            + [(x - 0.004, base + 0.012), (x - 0.004, base - 0.075)],
            (250, 226, 194),
        )
        self.polygon(
            [(x - 0.056, base - 0.140), (x + 0.034, base - 0.140), (x - 0.004, base - 0.070)]
            + [(x - 0.086, base - 0.070)],
            (128, 62, 54),
        )
        self.polygon(
            [(x + 0.030, base - 0.146), (x + 0.086, base - 0.070), (x + 0.076, base - 0.066)]
            + [(x + 0.028, base - 0.132)],
            (166, 84, 62),
        )
        self.box(x - 0.040, 0.008, base - 0.168, base - 0.125, (150, 84, 70))
        self.box(x - 0.042, 0.013, base - 0.052, base - 0.024, (255, 214, 112))
        self.box(x + 0.018, 0.010, base - 0.056, base - 0.028, (96, 84, 96))
        self.box(x + 0.046, 0.010, base - 0.046, base + 0.012, (96, 54, 48))

    def pines(self) -> None:
        """Dark firs at the left edge, and a few behind the house."""
        places = ((0.035, 0.70, 0.40), (0.125, 0.665, 0.29), (0.185, 0.66, 0.20), (0.085, 0.76, 0.31))
        for x, base, height in places:
            self.pine(x, base, height)

    def pine(self, x: float, base: float, height: float) -> None:
        """One fir: tiers of drooping boughs, their right sides in the sun."""
        self.box(x, 0.012 * height / 0.3, base - 0.1 * height, base + 0.02, (58, 42, 40))
        part = (self.y - (base - height)) / (0.94 * height)
        tiers = 7.0
        tier = np.mod(part * tiers, 1.0)
        half = 0.26 * height * (0.12 + 0.88 * part) * (0.55 + 0.45 * tier)
        ragged = 0.18 * np.abs(np.sin(self.x * 240 + np.floor(part * tiers) * 2.1))
        across = (self.x - x) / half
        fir = (np.abs(across) < 1 - ragged * tier) & (part > 0) & (part < 1)
        lit = smoothstep(-0.1, 1.0, across + 0.7 * (tier - 0.6))[..., None]
        dark, bright = np.array([18, 40, 40]), np.array([92, 108, 60])
        self.cover(fir, dark + lit * (bright - dark))
