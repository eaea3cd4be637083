"""The program that prepares people's own market data: JSON on standard output, or one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import stock_market


def test_the_program_answers_with_json_or_a_sentence_and_exit_code_2(tmp_path: Path) -> None:
    scripts = Path(stock_market.__file__).parents[1]

    def run(options: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "stock_market_ops.market_data", str(tmp_path / "made")]
        environment = {"PYTHONPATH": str(scripts)}
        return subprocess.run(
            command, input=json.dumps(options), env=environment, capture_output=True, check=False, text=True
        )

    done = run({"path": str(scripts / "stock_market" / "data" / "sample.csv")})
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["rows"], told["first"][:10], told["last"][:10], len(told["symbols"])) == (
        254,
        "2024-02-19",
        "2024-03-15",
        13,
    )
    assert told["mended"] == {
        "byte-order mark": 1,
        "file with line ends of another system": 1,
        "date as DD/MM/YYYY": 7,
    }
    assert {reason: each["rows"] for reason, each in told["skipped"].items()} == {
        "blank line": 7,
        "cut line": 1,
        "null in a number column": 5,
    }
    for options, words in (
        ({"path": "/none.csv"}, "cannot read the CSV file /none.csv"),
        ({"path": "/none.csv", "usd_rate": -1}, "stock_producer_csv_usd_rate"),
    ):
        done = run(options)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert words in done.stderr
