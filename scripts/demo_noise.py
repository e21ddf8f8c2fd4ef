"""Smooth seeded noise, as the demonstration pictures use it (numpy only)."""

import numpy as np

Size = tuple[int, int]


def smooth_noise(generator: np.random.Generator, shape: Size, cells: Size) -> np.ndarray:
    """Value noise in 0–1 over `shape` (rows, columns), with `cells` (rows, columns) of lattice."""
    lattice = generator.random((cells[0] + 1, cells[1] + 1))
    row, row_part = lattice_position(shape[0], cells[0])
    column, column_part = lattice_position(shape[1], cells[1])
    upper = lattice[row][:, column] * (1 - column_part) + lattice[row][:, column + 1] * column_part
    below = lattice[row + 1]
    lower = below[:, column] * (1 - column_part) + below[:, column + 1] * column_part
    return upper * (1 - row_part[:, None]) + lower * row_part[:, None]


def lattice_position(length: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Which cell each of `length` samples lies in, and how far into it, eased by smoothstep."""
    position = np.linspace(0, cells, length, endpoint=False)
    index = position.astype(int)
    part = position - index
    return index, part * part * (3 - 2 * part)


def fractal_noise(generator: np.random.Generator, shape: Size, cells: Size, octaves: int) -> np.ndarray:
    """Octaves of smooth noise, each twice as fine and half as strong; in 0–1."""
    total, weight = np.zeros(shape), 0.0
    for octave in range(octaves):
        scale = 2**octave
        fine = smooth_noise(generator, shape, (cells[0] * scale, cells[1] * scale))
        total += fine / scale
        weight += 1 / scale
    return total / weight


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, an S-curve between (`low` may be the larger)."""
    part = np.clip((value - low) / (high - low), 0, 1)
    return part * part * (3 - 2 * part)
