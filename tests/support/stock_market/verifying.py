"""Asks the verifier about a bucket, as an operator's program does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.stock_market.bucket import Bucket

from stock_market_ops.verify import command as verify


class Answer:
    """What the program said."""

    def __init__(self, code: int, document: dict[str, Any]) -> None:
        self.code = code
        self.kinds = [finding["kind"] for finding in document["findings"]]
        self.sentences = [finding["sentence"] for finding in document["findings"]]
        self.document = document


class Ask:
    """The program, on a bucket; at rest unless the caller says otherwise."""

    def __init__(self, bucket: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
        self._own = ["--bucket", bucket.name, "--endpoint-url", bucket.endpoint, "--format", "json"]
        self._capsys = capsys

    def __call__(self, *arguments: str, running: bool = False) -> Answer:
        code = verify.main([*self._own, *([] if running else ["--at-rest"]), *arguments])
        out = self._capsys.readouterr().out
        # Nothing is printed where all objects are too young to be judged.
        return Answer(code, json.loads(out) if out else {"findings": [], "left_out": True})
