"""Chromium, driven as a performer's hand would: the mouse, a touch screen, a keyboard, at several sizes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out"
CHECKS = Path(__file__).with_name("page_checks.js").read_text(encoding="utf-8")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVER = "chromedriver"


class Size(NamedTuple):
    """A window. `target` is the least size in pixels of what is pressed."""

    name: str
    width: int
    height: int
    touch: bool
    target: int


SIZES = (
    Size("desktop-large", 1920, 1080, False, 32),
    Size("desktop", 1440, 900, False, 32),
    Size("desktop-low", 1440, 780, False, 32),
    Size("laptop", 1366, 650, False, 32),
    Size("tablet", 1024, 768, True, 44),
    Size("tablet-low", 1024, 690, True, 44),
    Size("phone-lying", 844, 390, True, 40),
    Size("phone", 390, 844, True, 44),
    Size("phone-small", 360, 740, True, 44),
    Size("phone-short", 360, 640, True, 44),
    Size("dock", 360, 900, False, 36),
)
DESKTOP, PHONE = SIZES[1], SIZES[7]


def missing() -> str:
    """What is missing for a browser on this machine, empty for nothing."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed: pip install -e '.[dev]'"
    if not any(map(shutil.which, BROWSERS)) or not shutil.which(DRIVER):
        return "there is no Chromium with its driver: apt-get install chromium chromium-driver"
    return ""


class Browser:
    """One window. Elements are found by CSS selectors."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, address: str, size: Size = DESKTOP) -> None:
        """Open an address in a window of this size, and wait until the page plays the show."""
        self.resize(size)
        self.driver.get(f"{address}{'&' if '?' in address else '?'}dock" if size.name == "dock" else address)
        self.until("document.body.dataset.state === 'open' && document.querySelector('sdv2-bank .fad') !== null")

    def resize(self, size: Size) -> None:
        metrics = {"width": size.width, "height": size.height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": size.touch, "maxTouchPoints": 2})

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def value(self, expression: str) -> Any:
        return self.run(f"return {expression}")

    def until(self, expression: str) -> Any:
        """The first true value of a JavaScript expression."""
        return eventually(expression, lambda: self.value(expression))

    def find(self, selector: str) -> Any:
        """The first element that is shown."""
        script = "return [...document.querySelectorAll(arguments[0])].find((one) => one.checkVisibility()) ?? null"
        return eventually(selector, lambda: self.run(script, selector))

    def click(self, selector: str) -> None:
        """Click on an element; again where the page has just made it anew."""
        from selenium.common.exceptions import StaleElementReferenceException

        def clicked() -> bool:
            with suppress(StaleElementReferenceException):
                self.find(selector).click()
                return True
            return False

        eventually(f"a click on {selector}", clicked)

    def type(self, selector: str, text: str) -> None:
        """Write a text in place of what a field holds."""
        field = self.find(selector)
        field.click()
        self.run("arguments[0].select()", field)
        field.send_keys(text)

    def keys(self, *keys: str) -> None:
        """Press keys, one after the other, where the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def hold_key(self, key: str, seconds: float) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).key_down(key).pause(seconds).key_up(key).perform()

    def middle(self, selector: str) -> tuple[float, float]:
        box = self.run(
            "const b = arguments[0].getBoundingClientRect(); return [b.x, b.y, b.width, b.height]", self.find(selector)
        )
        return box[0] + box[2] / 2, box[1] + box[3] / 2

    @contextmanager
    def grip(self, selector: str, right: float, down: float, *, touch: bool = False) -> Iterator[None]:
        """Hold an element, drag it by so many pixels, and let go at the end of the context."""
        x, y = self.middle(selector)
        self._pointer("Pressed", x, y, touch)
        for step in (0.25, 0.5, 0.75, 1.0):
            self._pointer("Moved", x + right * step, y + down * step, touch)
        # Chromium hands moves on before it draws: after two drawings the page has had the last one.
        self.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        yield
        self._pointer("Released", x + right, y + down, touch)

    def tap(self, selector: str, times: int = 1) -> None:
        """Press an element and let go, so many times in a row."""
        x, y = self.middle(selector)
        for _ in range(times):
            self._pointer("Pressed", x, y, False)
            self._pointer("Released", x, y, False)

    def _pointer(self, what: str, x: float, y: float, touch: bool) -> None:
        if touch:
            kind = {"Pressed": "touchStart", "Moved": "touchMove", "Released": "touchEnd"}[what]
            points = [] if what == "Released" else [{"x": x, "y": y}]
            self.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        else:
            event = {"type": f"mouse{what}", "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
            self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    def faults(self, size: Size) -> list[str]:
        """What a look at the page finds wrong: parts beyond the edge, small text, weak contrast, small targets."""
        found: list[str] = self.run(f"{CHECKS}; return pageFaults(arguments[0])", size.target)
        return found

    def complaints(self) -> list[str]:
        """What the browser's console has said since it was asked last: errors, and breaches of the security policy."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def foreign(self) -> list[str]:
        """Addresses beyond the daemon that the page has asked for."""
        names = "performance.getEntriesByType('resource').map((entry) => entry.name)"
        return self.value(f"{names}.filter((name) => !name.startsWith(location.origin) && !name.startsWith('blob:'))")

    def picture(self, name: str) -> Path:
        """Write what the window shows to out/page-NAME.png."""
        OUT.mkdir(exist_ok=True)
        path = OUT / f"page-{name}.png"
        assert self.driver.save_screenshot(str(path))
        return path


@contextmanager
def browser(*more: str) -> Iterator[Browser]:
    """A browser of its own. more: switches of Chromium, without the dashes."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = next(filter(None, map(shutil.which, BROWSERS)))
    for switch in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars", "mute-audio", *more):
        options.add_argument(f"--{switch}")  # no-sandbox: root in a container has none
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which(DRIVER)))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
