"""A procedural lake at the end of the day, in linear light: terrain, sky and water for `clip.py`.

The camera stands still and turns, so pictures are cylindrical: a column is an azimuth, a row a tangent of elevation, and
turning the camera is a shift along the columns. Terrain is marched once for all azimuths; sky and water are made per frame.
Lengths are metres; x is right, y up, z ahead.
"""

from __future__ import annotations

import numpy as np

from .noise import Noise, bilinear, mix, rgb, smoothstep

SUN_AZIMUTH, SUN_ELEVATION = 0.27, 0.21
SUN = np.array([np.sin(SUN_AZIMUTH), np.tan(SUN_ELEVATION), np.cos(SUN_AZIMUTH)], np.float32)
SUN /= np.linalg.norm(SUN)
SUNLIGHT = np.array([3.4, 2.25, 1.25], np.float32)
SKYLIGHT = np.array([0.40, 0.50, 0.72], np.float32)
EYE = 9.0  # height of the camera above the lake
FAR = 15000.0


class Terrain:
    """Hills, woods and mountains around the lake, seen over a range of azimuths."""

    def __init__(self, azimuths: np.ndarray, tangents: np.ndarray, seed: int) -> None:
        """`azimuths` of the columns in radians, `tangents` of the rows' elevations, falling.

        `color` (rows, columns, 3) is lit and hazy, `cover` (rows, columns) is 1 on land and 0 on sky and water.
        """
        self.noise, self.detail = Noise(seed), Noise(seed + 1)
        distance = self._march(azimuths, tangents)
        self.cover = (distance > 0).astype(np.float32)
        row, column = np.nonzero(distance)
        d = distance[row, column]
        self.color = np.zeros((*distance.shape, 3), np.float32)
        self.color[row, column] = self._shade(d * np.sin(azimuths[column]), d * np.cos(azimuths[column]), d, azimuths[column])

    def ground(self, x: np.ndarray, z: np.ndarray, octaves: int = 8) -> np.ndarray:
        """Height of the bare ground; below 0 is lake."""
        away = np.hypot(x, z)
        shore = np.hypot(x + 150, z - 1200) / 1500 + 0.55 * (self.noise.fractal(x / 700 + 40, z / 700, 4) - 0.5)
        hills = self.noise.fractal(x / 1500, z / 1500 + 9, octaves) ** 2
        crests = self.noise.fractal(x / 4200 + 5.2, z / 4200 + 1.4, octaves, ridged=True)
        rise = smoothstep(0.8, 2.3, shore)
        height = -9 + 24 * smoothstep(0.72, 1.0, shore) + 620 * rise * hills
        return height + 2300 * smoothstep(3200, 9000, away) * crests**1.5

    def woods(self, x: np.ndarray, z: np.ndarray, ground: np.ndarray) -> np.ndarray:
        """How densely trees stand, 0..1."""
        stand = smoothstep(0.38, 0.5, self.detail.fractal(x / 260, z / 260, 4))
        return stand * smoothstep(7, 14, ground) * (1 - smoothstep(380, 620, ground + 160 * self.detail(x / 90, z / 90)))

    def surface(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Height of the ground with its trees."""
        ground = self.ground(x, z)
        crowns = self.detail(x / 9, z / 9) * 0.65 + self.detail(x / 4 + 31, z / 4) * 0.35
        return ground + 26 * self.woods(x, z, ground) * crowns**1.5

    def _march(self, azimuths: np.ndarray, tangents: np.ndarray) -> np.ndarray:
        """Distance of what is first hit along each ray, (rows, columns); 0 for sky and lake."""
        steps = np.geomspace(250, FAR, 1500).astype(np.float32)
        out = np.zeros((len(tangents), len(azimuths)), np.float32)
        for i, azimuth in enumerate(azimuths):
            height = self.surface(steps * np.sin(azimuth), steps * np.cos(azimuth))
            horizon = np.maximum.accumulate(np.where(height > 0, (height - EYE) / steps, -1))
            hit = np.searchsorted(horizon, tangents)
            out[:, i] = np.where(hit < len(steps), steps[np.minimum(hit, len(steps) - 1)], 0)
        # Rays below the horizon that pass over the lake before they rise to land meet water first.
        return np.where((tangents[:, None] < 0) & (out > EYE / np.maximum(-tangents[:, None], 1e-6)), 0, out)

    def _shade(self, x: np.ndarray, z: np.ndarray, distance: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
        ground, height = self.ground(x, z), self.surface(x, z)
        step = np.maximum(distance * 0.0012, 1.0)
        slope_x = (self.surface(x + step, z) - height) / step
        slope_z = (self.surface(x, z + step) - height) / step
        steep = np.hypot((self.ground(x + 12, z) - ground) / 12, (self.ground(x, z + 12) - ground) / 12)
        length = np.sqrt(1 + slope_x**2 + slope_z**2)
        facing = np.clip((SUN[1] - SUN[0] * slope_x - SUN[2] * slope_z) / length, 0, 1)
        light = (facing * self._sunlit(x, z, height))[:, None] * SUNLIGHT + (0.35 + 0.65 / length)[:, None] * SKYLIGHT
        lit = self._albedo(x, z, ground, height, steep) * light
        # Light falls through the leaves of woods that stand against the sun.
        crown = self.woods(x, z, ground) * smoothstep(6, 20, height - ground)
        lit += (crown * 0.05 * np.exp(-(((azimuth - SUN_AZIMUTH) / 0.35) ** 2)))[:, None] * SUNLIGHT * rgb(1, 0.9, 0.3)
        return mix(lit, haze(azimuth), (1 - np.exp(-((distance / 9500) ** 1.25)))[:, None])

    def _sunlit(self, x: np.ndarray, z: np.ndarray, height: np.ndarray) -> np.ndarray:
        """0 in shadow, 1 in the sun, with a penumbra."""
        clear = np.ones_like(x)
        for reach in np.geomspace(12, 3500, 26):
            above = height + reach * SUN[1] - self.ground(x + reach * SUN[0], z + reach * SUN[2], 5)
            clear = np.minimum(clear, 0.5 + above / (0.04 * reach + 2))
        return np.clip(clear, 0, 1)

    def _albedo(self, x: np.ndarray, z: np.ndarray, ground: np.ndarray, height: np.ndarray, steep: np.ndarray) -> np.ndarray:
        tint = self.detail.fractal(x / 60, z / 60, 4)[:, None]
        color = mix(rgb(0.20, 0.21, 0.06), rgb(0.36, 0.30, 0.10), tint)  # meadow
        color = mix(color, rgb(0.62, 0.52, 0.38), (1 - smoothstep(0.8, 2.2, ground))[:, None])  # beach
        rock = mix(rgb(0.20, 0.18, 0.17), rgb(0.38, 0.33, 0.30), tint)
        color = mix(color, rock, np.maximum(smoothstep(0.55, 0.9, steep), smoothstep(500, 800, ground))[:, None])
        snow = smoothstep(880, 1180, ground + 500 * (tint[:, 0] - 0.5)) * (1 - smoothstep(0.9, 1.5, steep))
        color = mix(color, rgb(0.85, 0.88, 0.95), snow[:, None])
        leaves = mix(rgb(0.035, 0.06, 0.02), rgb(0.13, 0.13, 0.03), tint * smoothstep(2, 22, height - ground)[:, None])
        return mix(color, leaves, self.woods(x, z, ground)[:, None])


def haze(azimuth: np.ndarray) -> np.ndarray:
    """Colour of the air at the horizon, (..., 3): gold below the sun, blue away from it."""
    warm = np.exp(-(((azimuth - SUN_AZIMUTH) / 0.36) ** 2))[..., None]
    return mix(rgb(0.46, 0.56, 0.78), rgb(1.35, 0.86, 0.50), warm)


class Sky:
    """Evening sky with clouds that drift and come round after one loop."""

    def __init__(self, seed: int) -> None:
        self.noise = Noise(seed + 2)

    def __call__(self, azimuths: np.ndarray, tangents: np.ndarray, phase: float) -> np.ndarray:
        """Light (rows, columns, 3) above the horizon; `phase` 0..1 is the place in the loop."""
        azimuth, tangent = np.meshgrid(azimuths.astype(np.float32), np.maximum(tangents, 0.004).astype(np.float32))
        across, along = np.sin(azimuth), np.cos(azimuth)
        towards = (across * SUN[0] + tangent * SUN[1] + along * SUN[2]) / np.sqrt(1 + tangent**2)
        air = mix(haze(azimuth), rgb(0.10, 0.23, 0.60), (1 - np.exp(-tangent * 5.0))[..., None])
        glow = 0.40 * np.maximum(towards, 0) ** 26 + 0.8 * np.maximum(towards, 0) ** 350 + 2 * np.maximum(towards, 0) ** 2500
        disc = 40 * smoothstep(0.99984, 0.99993, towards)
        density, shade = self._clouds(across / (tangent + 0.035), along / (tangent + 0.035), phase)
        edge = 0.4 + 1.5 * np.maximum(towards, 0) ** 10 * (1 - density)
        cloud = mix(rgb(0.44, 0.43, 0.58), rgb(1.75, 1.22, 0.84), shade[..., None])
        cloud = cloud * (0.75 + 0.35 * edge)[..., None]
        cloud = mix(haze(azimuth), cloud, smoothstep(0.0, 0.14, tangent)[..., None])
        sky = air + glow[..., None] * rgb(1, 0.72, 0.40)
        veil = (0.93 * density * smoothstep(0.0, 0.06, tangent))[..., None]
        return mix(sky + (disc * (1 - density) ** 3)[..., None] * rgb(1, 0.86, 0.62), cloud + 0.3 * (sky - air), veil)

    def _clouds(self, x: np.ndarray, z: np.ndarray, phase: float) -> tuple[np.ndarray, np.ndarray]:
        """(density, how much sun reaches in), both 0..1, on a plane at height 1.

        Two stretches of one drift, a loop apart, fade into each other; their variance stays the same.
        """
        sun_x, sun_z = 0.10 * SUN[0], 0.10 * SUN[2]
        fields = []
        for reach in (0.0, 1.0, 2.5):
            parts = [
                self._field(x + reach * sun_x + drift, z + reach * sun_z, 7 if reach == 0 else 5)
                for drift in (0.22 * phase, 0.22 * (phase - 1))
            ]
            angle = phase * np.pi / 2
            fields.append(0.5 + (parts[0] - 0.5) * np.cos(angle) + (parts[1] - 0.5) * np.sin(angle))
        density = smoothstep(0.42, 0.60, fields[0])
        thick = sum(smoothstep(0.45, 0.72, field) for field in fields[1:])
        return density, np.exp(-1.3 * thick * density - 0.3 * density)

    def _field(self, x: np.ndarray, z: np.ndarray, octaves: int) -> np.ndarray:
        bend = self.noise.fractal(x * 1.1 + 20, z * 1.1, 3) - 0.45
        return self.noise.fractal(x * 0.85 + bend, z * 0.95 + bend + 50, octaves)


class Water:
    """The lake: long waves that repeat after a loop, mirroring what stands above it."""

    def __init__(self, seconds: float, seed: int, count: int = 34) -> None:
        rng = np.random.default_rng(seed + 3)
        self.length = np.geomspace(0.7, 26, count)
        number = 2 * np.pi / self.length
        direction = rng.normal(0.5, 0.75, count)
        self.kx, self.kz = number * np.sin(direction), number * np.cos(direction)
        # Deep water, sqrt(g k), in whole turns a loop.
        self.turns = np.maximum(1, np.rint(np.sqrt(9.81 * number) * seconds / (2 * np.pi)))
        self.slope = 0.017 * rng.uniform(0.6, 1.4, count)
        self.start = rng.uniform(0, 2 * np.pi, count)
        self.noise = Noise(seed + 4)

    def breeze(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """How ruffled the water is: smooth and rough stretches, about 0.5 to 1.4."""
        return 0.55 + 0.85 * smoothstep(0.35, 0.65, self.noise(x / 55 + 9, z / 260))

    def slopes(self, x: np.ndarray, z: np.ndarray, footprint: np.ndarray, phase: float) -> tuple[np.ndarray, ...]:
        """Slope across, slope along, and the spread of the slopes too small for a pixel of `footprint` metres."""
        across, along, unseen = (np.zeros(x.shape, np.float32) for _ in range(3))
        for kx, kz, length, turns, slope, start in zip(
            self.kx, self.kz, self.length, self.turns, self.slope, self.start, strict=True
        ):
            seen = np.exp(-((1.2 * footprint / length) ** 2))
            wave = slope * seen * np.cos(kx * x + kz * z - 2 * np.pi * turns * phase + start).astype(np.float32)
            across += wave * kx / np.hypot(kx, kz)
            along += wave * kz / np.hypot(kx, kz)
            unseen += 0.5 * slope**2 * (1 - seen**2)
        return across, along, np.sqrt(unseen)

    def __call__(
        self, azimuths: np.ndarray, tangents: np.ndarray, above: np.ndarray, horizon: float, focal: float, phase: float
    ) -> np.ndarray:
        """Light (rows, columns, 3) of the water rows, whose `tangents` are below 0.

        above: picture (rows, columns, 3) of the same azimuths that is mirrored; `horizon` is its row of tangent 0 and
        `focal` its rows per unit of tangent.
        """
        azimuth, down = np.meshgrid(azimuths, -tangents)
        distance = EYE / down
        x, z = distance * np.sin(azimuth), distance * np.cos(azimuth)
        across, along, unseen = self.slopes(x, z, distance / focal * (0.35 + 0.05 / down), phase)
        breeze = self.breeze(x, z)
        column = np.arange(len(azimuths))[None] + across * breeze * down * focal * 2
        light = np.zeros((*distance.shape, 3), np.float32)
        for tap, weight in ((-1.5, 0.14), (-0.6, 0.23), (0.0, 0.26), (0.6, 0.23), (1.5, 0.14)):
            up = np.abs(down + 2 * breeze * (-along + tap * unseen))
            light += np.float32(weight) * bilinear(above, column, horizon - focal * up)
        glance = np.clip(down + along * breeze, 0.004, 1)
        mirrored = (0.03 + 0.97 * (1 - glance / np.sqrt(1 + glance**2)) ** 5)[..., None]
        deep = rgb(0.012, 0.050, 0.060) + rgb(0.05, 0.07, 0.05) * np.clip(along * 4, 0, 1)[..., None]
        return mix(deep, light, 0.12 + 0.86 * mirrored)
