"""Takes the pictures of the live page in docs/images, from the running deployment: `make screenshots`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

IMAGES = Path(__file__).parent / "images"


class Picture(NamedTuple):
    """A view in a window of that size, in light or dark."""

    name: str
    view: str
    width: int
    height: int
    scheme: str


PICTURES = (
    Picture("live-market.png", "market", 1280, 800, "light"),
    Picture("live-pipeline.png", "pipeline", 1280, 800, "light"),
    Picture("live-narrow.png", "market", 400, 860, "dark"),
)
# The page fills itself, the chart with candles of Athena, the plot of rates with points.
_SECONDS = {"market": 15, "pipeline": 40}


def main() -> None:
    """Start the page, take its pictures, end it."""
    command = [sys.executable, "-m", "stock_market_ops.live"]
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(option)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            address = program.stdout.readline().strip()
            with webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver")) as browser:
                for picture in PICTURES:
                    take(browser, address, picture)
        finally:
            program.terminate()


def take(browser: webdriver.Chrome, address: str, picture: Picture) -> None:
    """Take one picture."""
    metrics = {"width": picture.width, "height": picture.height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": picture.scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get("about:blank")
    browser.get(f"{address}#{picture.view}")
    time.sleep(_SECONDS[picture.view])
    browser.save_screenshot(str(IMAGES / picture.name))


if __name__ == "__main__":
    main()
