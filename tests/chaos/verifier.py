"""Asks the bundle's own verifier, which knows S3 alone, about the bucket of a round."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.stock_market.bucket import Bucket

_SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def complaints(bucket: Bucket, unfinished: Iterable[str]) -> list[str]:
    """What it says about a bucket at rest; nothing when all is true.

    Args:
        bucket: the bucket.
        unfinished: the ids of the producers that did not end well.
    """
    command = [sys.executable, "-m", "stock_market_ops.verify", "--bucket", bucket.name, "--at-rest", "--jobs", "1"]
    command += ["--endpoint-url", bucket.endpoint]
    for producer_id in unfinished:
        command += ["--unfinished", producer_id]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    environment["PYTHONPATH"] = str(_SCRIPTS)
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)
    if answer.returncode == 0:
        return []
    lines = [line for line in (answer.stdout + answer.stderr).splitlines() if line.strip()]
    return [f"the verifier ended with code {answer.returncode}: {' | '.join(lines)[-1500:]}"]
