"""A window on a monitor of this machine, by SDL: full screen, in step with the monitor.

PySDL2 is public domain or zlib, as SDL itself; pygame-ce would be under the LGPL. Facts are from SDL 2's own documentation.
"""

from __future__ import annotations

import ctypes
from typing import Any

from sdv2_live.errors import DeviceError
from sdv2_live.frame import ColorMatrix, ColorRange, Frame, PixelFormat
from sdv2_live.io.devices.monitors import Monitor, in_order, match_monitor
from sdv2_live.system.clock import monotonic

TITLE = b"sdv2-live"
SMALL = 2  # out of full screen, its sides are so many times smaller than the monitor's
JPEG, BT601, BT709 = 0, 1, 2  # SDL_YUV_CONVERSION_MODE
LOOK_S = 1.0  # between two looks whether the monitor is there
NEEDS = "a window needs SDL: install it with `pip install 'sdv2-live[window]'`"
NO_DISPLAY = "there is no display that a window could be on; on Linux set DISPLAY, as in `DISPLAY=:0 sdv2-live run ...`"
UNSEEN = (b"offscreen", b"dummy", b"evdev")  # what SDL draws with where there is no display


def load() -> Any:
    """The SDL 2 module. Raises DeviceError where there is none."""
    try:
        import sdl2
    except (ImportError, RuntimeError, OSError) as error:
        raise DeviceError(f"{NEEDS} ({error})") from error
    return sdl2


class Window:
    """Shows pictures on the monitor of a number or name, in their own shape, with black beside them.

    Esc leaves full screen, and f or F11 takes it again.

    Raises:
        DeviceError: there is no display, or no such monitor.
    """

    def __init__(self, target: str) -> None:
        self._sdl = sdl = load()
        for hint, value in (
            (sdl.SDL_HINT_VIDEO_MINIMIZE_ON_FOCUS_LOSS, b"0"),  # a click on another monitor leaves it there
            (sdl.SDL_HINT_RENDER_SCALE_QUALITY, b"linear"),
            (sdl.SDL_HINT_VIDEO_ALLOW_SCREENSAVER, b"0"),
        ):
            sdl.SDL_SetHint(hint, value)
        if sdl.SDL_Init(sdl.SDL_INIT_VIDEO) or sdl.SDL_GetCurrentVideoDriver() in UNSEEN:
            raise DeviceError(NO_DISPLAY)
        self._target = target
        self._monitor = match_monitor(target, self._monitors())
        self.name = f"the monitor {self._monitor.name}, {self._monitor.size}"
        self._window: Any = None
        self._renderer: Any = None
        self._texture: Any = None
        self._shape: tuple[int, int, PixelFormat] | None = None
        self._look_at = monotonic() + LOOK_S
        self._open()

    def _open(self) -> None:
        sdl, place = self._sdl, self._monitor
        flags = sdl.SDL_WINDOW_FULLSCREEN_DESKTOP | sdl.SDL_WINDOW_ALLOW_HIGHDPI
        self._window = sdl.SDL_CreateWindow(TITLE, place.left, place.top, place.width, place.height, flags)
        for kind in (sdl.SDL_RENDERER_ACCELERATED | sdl.SDL_RENDERER_PRESENTVSYNC, sdl.SDL_RENDERER_SOFTWARE):
            self._renderer = self._renderer or sdl.SDL_CreateRenderer(self._window, -1, kind)
        if not self._renderer:
            raise DeviceError(f"{self.name} shows no window: {sdl.SDL_GetError().decode()}; update the graphics driver")
        sdl.SDL_ShowCursor(sdl.SDL_DISABLE)
        self._draw()

    def _monitors(self) -> list[Monitor]:
        sdl, found = self._sdl, []
        for number in range(sdl.SDL_GetNumVideoDisplays()):
            bounds = sdl.SDL_Rect()
            sdl.SDL_GetDisplayBounds(number, bounds)
            name = (sdl.SDL_GetDisplayName(number) or b"").decode(errors="replace")
            found.append(Monitor(name, bounds.x, bounds.y, bounds.w, bounds.h, primary=number == 0))  # so SDL orders them
        return in_order(found)

    def show(self, frame: Frame) -> None:
        """Show a picture, once the monitor takes one."""
        sdl = self._sdl
        if self._shape != (*frame.size, frame.format):
            self._make_texture(frame)
        if frame.format is PixelFormat.UYVY:
            sdl.SDL_SetYUVConversionMode(_conversion(frame))
        sdl.SDL_UpdateTexture(self._texture, None, ctypes.c_void_p(frame.data.ctypes.data), frame.stride)
        self._draw()

    def _make_texture(self, frame: Frame) -> None:
        sdl = self._sdl
        if self._texture:
            sdl.SDL_DestroyTexture(self._texture)
        layout = {
            PixelFormat.UYVY: sdl.SDL_PIXELFORMAT_UYVY,
            PixelFormat.BGRA: sdl.SDL_PIXELFORMAT_BGRA32,
            PixelFormat.BGRX: sdl.SDL_PIXELFORMAT_BGRX32,
            PixelFormat.RGBA: sdl.SDL_PIXELFORMAT_RGBA32,
            PixelFormat.RGBX: sdl.SDL_PIXELFORMAT_RGBX32,
        }[frame.format]
        self._texture = sdl.SDL_CreateTexture(self._renderer, layout, sdl.SDL_TEXTUREACCESS_STREAMING, frame.width, frame.height)
        if not self._texture:
            raise DeviceError(f"{self.name} takes no picture of {frame.height}x{frame.width}: {sdl.SDL_GetError().decode()}")
        sdl.SDL_SetTextureBlendMode(self._texture, sdl.SDL_BLENDMODE_NONE)
        self._shape = (*frame.size, frame.format)

    def _draw(self) -> None:
        """Draw the newest picture, as large as the window allows."""
        sdl, renderer = self._sdl, self._renderer
        sdl.SDL_SetRenderDrawColor(renderer, 0, 0, 0, 255)
        sdl.SDL_RenderClear(renderer)
        if self._shape is not None:
            width, height = ctypes.c_int(), ctypes.c_int()
            sdl.SDL_GetRendererOutputSize(renderer, ctypes.byref(width), ctypes.byref(height))
            sdl.SDL_RenderCopy(renderer, self._texture, None, sdl.SDL_Rect(*fitted(self._shape[:2], (height.value, width.value))))
        sdl.SDL_RenderPresent(renderer)

    def look(self) -> bool:
        """Heed keys and the mouse. False when somebody has closed the window. Raises DeviceError when its monitor is gone."""
        sdl, event = self._sdl, self._sdl.SDL_Event()
        stays = True
        while sdl.SDL_PollEvent(ctypes.byref(event)):
            if event.type == sdl.SDL_QUIT:
                stays = False
            elif event.type == sdl.SDL_KEYDOWN:
                self._press(event.key.keysym.sym)
            elif event.type == sdl.SDL_WINDOWEVENT:
                self._draw()  # it was moved, uncovered or resized
        if monotonic() >= self._look_at:
            self._look_at = monotonic() + LOOK_S
            if self._monitor not in self._monitors():
                raise DeviceError(f"the monitor {self._target or self._monitor.name} is gone or has another size")
        return stays

    def _press(self, key: int) -> None:
        if key == self._sdl.SDLK_ESCAPE:
            self._set_full(False)
        elif key in (self._sdl.SDLK_f, self._sdl.SDLK_F11):
            self._set_full(True)

    def _set_full(self, full: bool) -> None:
        """Take the whole monitor, or the middle of it. Size and place are set, too: not every desktop heeds full screen."""
        sdl, place = self._sdl, self._monitor
        width, height = (place.width, place.height) if full else (place.width // SMALL, place.height // SMALL)
        if not full:
            sdl.SDL_SetWindowFullscreen(self._window, 0)
        sdl.SDL_SetWindowSize(self._window, width, height)
        at = place.left + (place.width - width) // 2, place.top + (place.height - height) // 2
        sdl.SDL_SetWindowPosition(self._window, *at)
        if full:
            sdl.SDL_SetWindowFullscreen(self._window, sdl.SDL_WINDOW_FULLSCREEN_DESKTOP)
        sdl.SDL_ShowCursor(sdl.SDL_DISABLE if full else sdl.SDL_ENABLE)
        self._draw()


def fitted(picture: tuple[int, int], room: tuple[int, int]) -> tuple[int, int, int, int]:
    """(left, top, width, height) of a picture as large as a room allows, in its middle. picture, room: (height, width)."""
    (height, width), (high, wide) = picture, room
    scale = min(high / height, wide / width)
    shown = round(width * scale), round(height * scale)
    return (wide - shown[0]) // 2, (high - shown[1]) // 2, *shown


def _conversion(frame: Frame) -> int:
    """SDL's number for a matrix and range; of full range it knows BT.601 alone, and BT.2020 not at all."""
    if frame.color.range is ColorRange.FULL:
        return JPEG
    return BT601 if frame.color.matrix is ColorMatrix.BT601 else BT709
