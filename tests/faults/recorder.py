"""An NDI client that others wrote (cyndilib), in a process of its own: `python recorder.py SOURCE`.

Prints one line for every frame: nanoseconds of the monotonic clock at its arrival, seconds of its sender's clock when the SDK
took it, mean of its red, green and blue (0..255), height, width, and its frame time in seconds. The SDK's frame synchroniser is
asked for its newest frame every 2 ms (cyndilib's other way to receive passes on only some of the frames).
"""

from __future__ import annotations

import sys
import time

from cyndilib import Finder, Receiver, RecvBandwidth, RecvColorFormat, VideoFrameSync

FIND_S = 60.0
POLL_S = 0.002


def main(name: str) -> None:
    """Record until killed. Exits with 1 when the source is not found."""
    finder = Finder()  # asked, never opened: see `ndi_client`
    until = time.monotonic() + FIND_S
    while name not in finder.update_sources():
        if time.monotonic() > until:
            sys.exit(f"{name} is not on the network")
        time.sleep(0.05)
    receiver = Receiver(color_format=RecvColorFormat.RGBX_RGBA, bandwidth=RecvBandwidth.highest)
    frame = VideoFrameSync()
    receiver.frame_sync.set_video_frame(frame)
    receiver.set_source(finder.get_source(name))
    last = 0.0
    while True:
        receiver.frame_sync.capture_video()
        arrived, taken = time.monotonic_ns(), frame.get_timestamp_posix()
        width, height = frame.get_resolution()
        if taken != last and width and height:
            last = taken
            mean = frame.get_array().reshape(height, -1)[:, : 4 * width].reshape(height, width, 4)[..., :3].mean()
            print(arrived, f"{taken:.6f} {mean:.1f}", height, width, float(1 / frame.get_frame_rate()), flush=True)
        time.sleep(POLL_S)


if __name__ == "__main__":
    main(sys.argv[1])
