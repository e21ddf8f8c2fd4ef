"""A painting that never was: thick strokes along a swirling flow, in few bold colours."""

from dataclasses import dataclass

import numpy as np

from demo_noise import fractal_noise, smooth_noise, smoothstep

# Whirls of the flow, as (x, y, radius, turn): centre and radius in picture widths.
WHIRLS = (
    (0.30, 0.32, 0.27, 1.0),
    (0.76, 0.60, 0.24, -1.0),
    (0.80, 0.15, 0.15, 1.0),
    (0.22, 0.82, 0.18, -0.9),
)

# From the dark to the light of the ground, then from the rim to the core of a whirl.
GROUND = np.array(
    [
        (12, 22, 66),
        (22, 52, 128),
        (34, 96, 172),
        (46, 146, 176),
        (126, 194, 186),
        (232, 224, 190),
    ]
)
GLOW = np.array([(238, 228, 180), (252, 212, 88), (246, 172, 40), (236, 122, 32), (206, 62, 36)])


@dataclass
class Layer:
    """One pass of the brush: how many strokes, and how long and wide, in picture widths."""

    strokes: int
    length: float
    width: float


LAYERS = (Layer(1500, 0.150, 0.032), Layer(3000, 0.120, 0.018), Layer(2400, 0.090, 0.012))


def paint(seed: int, side: int) -> np.ndarray:
    """The painting, as side×side×3 values of 0–255."""
    canvas = Canvas(np.random.default_rng(seed), 2 * side)
    for layer in LAYERS:
        canvas.apply(layer)
    picture = canvas.lit()
    halves = picture.reshape(side, 2, side, 2, 3).mean(axis=(1, 3))
    return np.clip(np.rint(halves), 0, 255).astype(np.uint8)


class Canvas:
    """Colour and thickness of the paint so far, over the fields that guide the brush."""

    def __init__(self, generator: np.random.Generator, side: int):
        self.generator, self.side = generator, side
        ys, xs = np.mgrid[0:side, 0:side] / side
        self.angle, self.bands, self.glow = flow(generator, xs, ys)
        self.colour = np.full((side, side, 3), GROUND[1], float)
        self.thickness = np.zeros((side, side))

    def apply(self, layer: Layer) -> None:
        """Paints one layer, its strokes in random order over a jittered grid."""
        per_row = int(np.ceil(np.sqrt(layer.strokes)))
        cells = self.generator.permutation(per_row**2)
        places = np.stack([cells % per_row, cells // per_row], axis=1)
        places = (places + self.generator.random(places.shape)) / per_row
        for x, y in places * 1.08 - 0.04:
            self.stroke(x * self.side, y * self.side, layer)

    def stroke(self, x: float, y: float, layer: Layer) -> None:
        """One stroke centred at (x, y), bent along the flow, with the streaks of its bristles."""
        generator = self.generator
        length = layer.length * self.side * generator.uniform(0.7, 1.2) / 2
        width = layer.width * self.side * generator.uniform(0.75, 1.15) / 2
        angle = self.angle_at(x, y)
        along = np.array([np.cos(angle), np.sin(angle)])
        turned = self.angle_at(x + along[0] * length, y + along[1] * length) - angle
        bend = np.clip(np.arctan2(np.sin(turned), np.cos(turned)), -0.9, 0.9) / (2 * length)

        reach = int(length + width) + 2
        left, top = max(int(x) - reach, 0), max(int(y) - reach, 0)
        right, bottom = min(int(x) + reach, self.side), min(int(y) + reach, self.side)
        if left >= right or top >= bottom:
            return
        dy, dx = np.mgrid[top:bottom, left:right].astype(float)
        dy, dx = dy - y, dx - x
        u = dx * along[0] + dy * along[1]
        v = dy * along[0] - dx * along[1] - bend * u * u

        streaks = generator.random(9)
        across = np.clip((v / width + 1) * 4, 0, 8)
        streak = np.interp(across, np.arange(9), streaks)
        end = 1 - 0.22 * streak  # bristles run dry at different lengths
        profile = np.sqrt(np.clip(1 - (v / width) ** 2, 0, 1))
        cover = smoothstep(0, 0.45, profile) * smoothstep(end, end - 0.2, np.abs(u) / length)

        area = np.s_[top:bottom, left:right]
        colour = self.colour_at(x, y) + (streak[..., None] - 0.5) * 34
        self.colour[area] += cover[..., None] * (colour - self.colour[area])
        ridge = 0.35 + 0.65 * smoothstep(-0.2, 0.9, u / length)  # paint piles up at the stroke's end
        height = width * (0.55 * profile + 0.45 * streak) * ridge
        self.thickness[area] += cover * (height - 0.55 * self.thickness[area])

    def angle_at(self, x: float, y: float) -> float:
        """Direction of the flow at a point; the nearest inside one."""
        row = int(np.clip(y, 0, self.side - 1))
        return self.angle[row, int(np.clip(x, 0, self.side - 1))]

    def colour_at(self, x: float, y: float) -> np.ndarray:
        """A palette colour for a stroke at (x, y), strayed a little from what the fields say."""
        row, column = (int(np.clip(value, 0, self.side - 1)) for value in (y, x))
        glow = self.glow[row, column] + self.generator.normal(0, 0.07)
        if glow > 0.34:
            return pick(GLOW, ((glow - 0.34) / 0.66) ** 0.9)
        band = self.bands[row, column] + self.generator.normal(0, 0.09)
        if self.generator.random() < 0.035:
            return GLOW[3].astype(float)
        return pick(GROUND, band)

    def lit(self) -> np.ndarray:
        """The paint under a light from the upper left: shaded relief and glossy highlights."""
        dy, dx = np.gradient(self.thickness)
        normal = np.stack([-dx, -dy, np.full_like(dx, 1.1)])
        normal /= np.sqrt((normal**2).sum(axis=0))
        light = np.array([-0.5, -0.6, 0.95])
        light /= np.sqrt((light**2).sum())
        halfway = light + np.array([0, 0, 1])
        halfway /= np.sqrt((halfway**2).sum())
        diffuse = np.tensordot(light, normal, 1)
        gloss = np.clip(np.tensordot(halfway, normal, 1), 0, 1) ** 40
        flat = light[2]
        shade = 1 + 0.75 * (diffuse - flat)
        return self.colour * shade[..., None] + 60 * (gloss - halfway[2] ** 40)[..., None]


def flow(generator: np.random.Generator, xs: np.ndarray, ys: np.ndarray) -> tuple[np.ndarray, ...]:
    """The brush's direction, the ground's bands (0–1) and the whirls' glow (0–1) over the picture."""
    drift = fractal_noise(generator, xs.shape, (3, 3), 3) - 0.5
    stream = 0.9 * (ys + 0.16 * np.sin(5.2 * xs + 0.6)) + 0.20 * drift
    glow = np.zeros_like(xs)
    for x, y, radius, turn in WHIRLS:
        distance = np.hypot(xs - x, ys - y) / radius
        near = np.exp(-1.8 * distance**4)
        row, column = int(y * len(stream)), int(x * len(stream))
        stream += near * (stream[row, column] - stream)  # else the current would shift the whirl
        stream += turn * 1.3 * radius * np.exp(-1.6 * distance**2)
        rings = 0.5 + 0.5 * np.cos(2 * np.pi * 1.7 * distance)
        glow = np.maximum(glow, smoothstep(1.0, 0.0, distance) * (0.6 + 0.4 * rings))
    dy, dx = np.gradient(stream)
    angle = np.arctan2(-dx, dy)
    bands = 0.5 + 0.5 * np.sin(2 * np.pi * 4.2 * stream)
    bands = 0.78 * bands + 0.30 * smooth_noise(generator, xs.shape, (5, 5)) - 0.08
    return angle, bands, glow


def pick(palette: np.ndarray, position: float) -> np.ndarray:
    """The palette's colour nearest to `position` in 0–1: few colours, never a gradient."""
    index = int(np.clip(position, 0, 0.999) * len(palette))
    return palette[index].astype(float)
