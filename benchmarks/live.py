"""The live page at 100,000 records a second of 500 symbols: what it reads, what it costs, how smooth the browser stays.

Two pages are open: a browser's, and one that a thread reads for the numbers. On a machine of two cores broker, producer
and browser share the other core, and may be what is too slow.
"""

from __future__ import annotations

import json
import signal
import sys
import time
import urllib.request
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from benchmarks.figures import Figure, at_most
from benchmarks.producers import PARTITIONS, producer_settings
from benchmarks.stage import Stage
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from tests.stock_market_ops.live.test_live_program import deployment

RATE = 100_000
_SYMBOLS = 500
_WARM_SECONDS = 30
_SECONDS = 20
_FRAMES = """
const [seconds, done] = arguments;
const times = [];
const note = (now) => {
  times.push(now);
  if (now - times[0] < 1000 * seconds) {
    requestAnimationFrame(note);
  } else {
    done(times.slice(1).map((time, at) => time - times[at]));
  }
};
requestAnimationFrame(note);
"""


def figures(scale: float) -> list[Figure]:
    """Measure; `scale` is of the rate."""
    with TemporaryDirectory(prefix="bench-live-") as folder, Stage(Path(folder)) as stage:
        topic = stage.name("live")
        stage.broker.create(topic, PARTITIONS)
        rate = RATE * scale
        settings = producer_settings(stage, topic, rate, "batches") + f"[simulate]\nsymbols = {_SYMBOLS}\n"
        stage.service("producer", stage.name("producer"), settings)
        known = msgspec.structs.replace(deployment(), bootstrap_servers=stage.broker.address, topic=topic)
        state = Path(folder) / "state" / "gone"
        state.mkdir(parents=True)
        (state / "deployment.json").write_bytes(msgspec.json.encode(known))
        command = [sys.executable, "-m", "stock_market_ops.live", "--deployment", "gone"]
        page = stage.measure("page", [*command, "--state-root", str(state.parent)])
        page.until(lambda: "http://" in page.log(), "the address", 60)
        address = next(line for line in page.log().splitlines() if line.startswith("http://"))
        frames, heap = [], 0.0
        with _browser() as browser, urllib.request.urlopen(f"{address}events?symbol=&width=1", timeout=60) as events:
            browser.get(address)
            _streams(events, _WARM_SECONDS)
            cpu, begun = page.cpu_seconds(), time.monotonic()
            seen = _streams(events, _SECONDS)
            cpu = (page.cpu_seconds() - cpu) / (time.monotonic() - begun)
            browser.set_script_timeout(_SECONDS + 30)
            frames = browser.execute_async_script(_FRAMES, _SECONDS // 2)
            browser.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
            heap = browser.execute_cdp_cmd("Runtime.getHeapUsage", {})["usedSize"] / 1e6
        peak = page.peak_megabytes()
        page.finish(20, signal.SIGTERM)
    late = [(time_of - stream["newest"]) / 1000 for time_of, stream in seen]
    return [
        Figure("topic", (median(stream["rate"] for _, stream in seen),), "records/s"),
        Figure("of them read by the page", (min(stream["share"] for _, stream in seen) * 100,), "%", 99, True),
        Figure("symbols", (float(seen[-1][1]["symbols"]),), "symbols"),
        at_most("from the broker's time to the page", max(late), 2, "s"),
        at_most("CPU of the page's program", cpu, 1, "cores"),
        at_most("its peak memory", peak, 500, "MB"),
        Figure("browser: frames", (len(frames) / (sum(frames) / 1000),), "a second", 55, True),
        Figure("browser: 99 of 100 frames within", (sorted(frames)[len(frames) * 99 // 100],), "ms"),
        at_most("browser: heap of the tab", heap, 100, "MB"),
    ]


def _streams(events: Any, seconds: float) -> list[tuple[int, dict[str, Any]]]:
    """The numbers that the page shows of its reading during `seconds`, each with its own clock in milliseconds."""
    end = time.monotonic() + seconds
    found = []
    while time.monotonic() < end:
        line = events.readline()
        if line.startswith(b"data: ") and "stream" in (message := json.loads(line[6:])):
            found.append((message["now"], message["stream"]))
    return found


def _browser() -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(option)
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
