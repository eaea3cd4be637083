"""The chart libraries of our pages, as npm has put them into `.venv/web`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from stock_market_ops.common.deployment import ROOT

NODE_MODULES: Final = ROOT / ".venv" / "web" / "node_modules"
LIBRARIES: Final = {
    "lightweight-charts.js": "lightweight-charts/dist/lightweight-charts.standalone.production.js",
    "uPlot.js": "uplot/dist/uPlot.iife.min.js",
    "uPlot.css": "uplot/dist/uPlot.min.css",
}


class ChartsError(Exception):
    """The libraries are not there; the message is one sentence."""


def libraries(directory: Path = NODE_MODULES) -> dict[str, str]:
    """Return the libraries' files by name, from a folder `node_modules`.

    Raises:
        ChartsError: they are not there.
    """
    try:
        return {name: (directory / path).read_text(encoding="utf-8") for name, path in LIBRARIES.items()}
    except OSError as error:
        raise ChartsError(
            f"The chart libraries are not there ({error.filename}): run `make report` or `make live`."
        ) from None
