"""A question to OSV, the database that gathers Python's, Maven's and Debian's advisories (https://google.github.io/osv.dev/api/)."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from supply_chain.pins import Pin

URL: Final = "https://api.osv.dev"
TIMEOUT_SECONDS: Final = 30
# The API takes a thousand.
_QUERIES_AT_ONCE: Final = 500


class OsvError(Exception):
    """OSV gave no answer that tells anything; the message says why, in one sentence."""


def vulnerabilities(pins: Sequence[Pin], url: str = URL) -> dict[Pin, list[str]]:
    """Return the ids of the known vulnerabilities of each pin, an empty list where none is known.

    Raises:
        OsvError: OSV can't be reached, refuses the question, or leaves a pin without an answer.
    """
    found: dict[Pin, list[str]] = {pin: [] for pin in pins}
    asked: list[tuple[Pin, str | None]] = [(pin, None) for pin in pins]
    while asked:
        batch, asked = asked[:_QUERIES_AT_ONCE], asked[_QUERIES_AT_ONCE:]
        for (pin, _), result in zip(batch, _ask(batch, url), strict=True):
            found[pin] += [vulnerability["id"] for vulnerability in result.get("vulns", [])]
            if token := result.get("next_page_token"):
                asked.append((pin, token))
    return {pin: sorted(ids) for pin, ids in found.items()}


def _ask(batch: Sequence[tuple[Pin, str | None]], url: str) -> list[dict[str, Any]]:
    queries = [
        {"package": {"ecosystem": pin.ecosystem, "name": pin.name}, "version": pin.version}
        | ({"page_token": token} if token else {})
        for pin, token in batch
    ]
    request = urllib.request.Request(
        f"{url}/v1/querybatch",
        data=json.dumps({"queries": queries}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            results = json.load(response)["results"]
    except urllib.error.HTTPError as error:
        raise OsvError(f"{url} refuses the question with {error.code} {error.reason}.") from error
    except (OSError, http.client.HTTPException) as error:
        raise OsvError(f"{url} can't be reached: {getattr(error, 'reason', error)}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise OsvError(f"{url} gives an answer that is none of OSV's.") from error
    if not isinstance(results, list) or len(results) != len(queries):
        raise OsvError(f"{url} does not answer for each of {len(queries)} versions.")
    return results
