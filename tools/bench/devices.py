"""What cameras, screens, windows and virtual cameras cost: percent of a core at 30 frames a second, and milliseconds a picture.

python -m tools.bench.devices [--seconds N]: the screen and the window are those of DISPLAY. An Xvfb will do, as in
`Xvfb :58 -screen 0 1920x1080x24 -noreset & DISPLAY=:58 python -m tools.bench.devices`.
Without a graphics card SDL draws in software.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
import psutil

from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.devices.ffmpeg import Pictures
from sdv2_live.io.open import open_sink, open_source
from sdv2_live.io.outlets.sink import OutletSink
from sdv2_live.io.outlets.virtual_camera import LAYOUT, Layout

RATE, ROUNDS = 30, 60
CAMERA = (720, 1280)
SIZES = ((480, 832), (1080, 1920))


def noise(size: tuple[int, int]) -> Frame:
    """A picture that compresses badly, BGRX."""
    rows = np.random.default_rng(0).integers(0, 256, (size[0], 4 * size[1]), np.uint8)
    return Frame(rows, size[1], size[0], PixelFormat.BGRX)


def cost(work: Callable[[], object]) -> float:
    """Milliseconds of processor time, on average."""
    work()
    begin = time.process_time()
    for _ in range(ROUNDS):
        work()
    return (time.process_time() - begin) / ROUNDS * 1e3


def screen(spec: str, seconds: float) -> dict[str, float]:
    """A screen as an input."""
    with open_source(spec) as source:
        source.read(5.0)
        begin, used, frames = time.monotonic(), time.process_time(), 0
        while time.monotonic() < begin + seconds:
            frames += source.read(0.1) is not None
        took = time.monotonic() - begin
        return {f"{spec} % of a core": (time.process_time() - used) / took * 100, f"{spec} fps": frames / took}


def window(size: tuple[int, int], seconds: float) -> dict[str, float]:
    """A window as the output of pictures of one size."""
    with open_sink("window:") as sink:
        assert isinstance(sink, OutletSink)
        frame, sends = noise(size), []
        sink.send(frame)
        time.sleep(1)
        process = psutil.Process(sink.pid)
        used, begin = sum(process.cpu_times()[:2]), time.monotonic()
        for number in range(int(seconds * RATE)):
            time.sleep(max(begin + number / RATE - time.monotonic(), 0))
            before = time.perf_counter()
            sink.send(frame)
            sends.append((time.perf_counter() - before) * 1e3)
        took, name = time.monotonic() - begin, f"window {size[0]}x{size[1]}"
        return {
            f"{name} send ms, median": sorted(sends)[len(sends) // 2],
            f"{name} its process, % of a core": (sum(process.cpu_times()[:2]) - used) / took * 100,
            f"{name} left out": float(sink.dropped),
        }


def pictures() -> dict[str, float]:
    """Conversions of a camera's pictures, and for a virtual camera."""
    found = {}
    for layout in ("yuyv422", "nv12", "yuvj422p"):
        decoded, convert = av.VideoFrame(CAMERA[1], CAMERA[0], layout), Pictures()
        found[f"camera 720x1280 {layout} to UYVY, ms"] = cost(lambda c=convert, d=decoded: c(d, Fraction(RATE)))  # type: ignore[misc]
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = CAMERA[1], CAMERA[0], "yuvj422p", Fraction(1, RATE)
    coarse = np.kron(np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    picture = av.VideoFrame.from_ndarray(coarse, "rgb24").reformat(format="yuvj422p")
    jpeg = bytes((encoder.encode(picture) + encoder.encode(None))[0])
    decoder = av.CodecContext.create("mjpeg", "r")
    found[f"camera 720x1280 JPEG of {len(jpeg) // 1000} kB decoded, ms"] = cost(lambda: decoder.decode(av.Packet(jpeg)))
    made, frame = Layout(LAYOUT), noise(SIZES[0])
    found["virtual camera 480x832 to YUYV, ms"] = cost(lambda: made(frame))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    seconds = parser.parse_args().seconds
    found = pictures()
    for spec in ("screen:0,0,1280,720", "screen:"):
        found |= screen(spec, seconds)
    for size in SIZES:
        found |= window(size, seconds)
    for name, value in found.items():
        print(f"{name}\t{value:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
