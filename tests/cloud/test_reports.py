"""The archive of `make logs` contains no secret and lists what could not be collected."""

from __future__ import annotations

import base64
import io
import stat
import tarfile
from pathlib import Path

import pytest
from tests.cloud.modules import load

host_report = load("host_report")
report_archive = load("report_archive")


@pytest.mark.parametrize(
    "line",
    [
        "ssl.key.password=hunter2",
        'password = "hunter2"',
        "AWS_SECRET_ACCESS_KEY=hunter2",
        "AWS_SESSION_TOKEN='hunter2'",
        "db-password: hunter2 and more of hunter2",
        'sasl.jaas.config=org.example.ScramLoginModule required username="broker" password="hunter2";',
        'Environment="API_TOKEN=hunter2"',
        "2026-01-01T00:00:00 node-1 app[1]: login with password=hunter2 failed",
        "key=-----BEGIN PRIVATE KEY-----\\nhunter2\\n-----END PRIVATE KEY-----",
        "-----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nhunter2, and the rest is cut off",
    ],
)
def test_what_is_called_a_secret_is_taken_out(line: str) -> None:
    assert "hunter2" not in host_report.without_secrets(line)


@pytest.mark.parametrize(
    "line",
    [
        'password_file = "/etc/stock-market/consumer.password"',
        'sasl.jaas.config=LoginModule required username="broker" password="${directory:/etc/kafka/private:password}";',
        "ssl.keystore.key=${directory:/etc/kafka/private:key.pem}",
        "broker.id=1",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    ],
)
def test_what_only_says_where_a_secret_is_stays(line: str) -> None:
    assert host_report.without_secrets(line) == line


def test_the_end_of_a_long_journal_is_kept_and_the_cut_is_said() -> None:
    assert host_report.tail(b"12345", 5) == "12345"
    assert host_report.tail(b"12345", 2) == "[the first 3 bytes are left out]\n45"


def test_files_that_cannot_be_had_are_said_and_the_others_are_there(tmp_path: Path) -> None:
    (tmp_path / "good.conf").write_text("a=1\npassword=hunter2\n")
    (tmp_path / "long.conf").write_text("a" * 100)
    report = host_report.Report()
    report.configuration([f"{tmp_path}/*.conf", f"{tmp_path}/missing"], 50)
    report.command("there.txt", ["echo", "hello"])
    report.command("fails.txt", ["false"])
    report.command("missing.txt", ["no-such-program"])
    assert report.files == {
        f"config{tmp_path}/good.conf": "a=1\npassword=<removed>\n",
        "there.txt": "hello\n",
        "fails.txt": "",
    }
    assert report.problems == [
        f"{tmp_path}/long.conf is longer than 50 bytes and is left out.",
        "false ended with 1, see fails.txt.",
        "no-such-program is not installed, for missing.txt.",
    ]


def test_the_archive_holds_every_hosts_files_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    reports = {}
    for host in ("node-1", "node-2"):
        report = host_report.Report()
        report.files["config/etc/a"] = host
        reports[host] = report.archive()
    path = tmp_path / "logs" / "now.tar.gz"
    report_archive.write(path, report_archive.gathered("now", reports, {"commit.txt": "abc"}))
    with tarfile.open(path) as tar:
        names = tar.getnames()
        told = tar.extractfile("now/node-2/config/etc/a")
        assert told is not None
        assert told.read() == b"node-2"
    assert names == ["now/commit.txt", "now/node-1/config/etc/a", "now/node-2/config/etc/a"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["now.tar.gz"]


def test_a_report_is_a_gzipped_tar() -> None:
    report = host_report.Report()
    report.files["a.txt"] = "text"
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(report.archive())), mode="r:gz") as tar:
        assert tar.getnames() == ["a.txt"]
