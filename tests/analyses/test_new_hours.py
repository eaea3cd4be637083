"""What `make up` does with data that is kept: the first hours are crawled, later ones are added without a crawl."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import playbook
from tests.support.local_cloud.glue_lake import ALL_RIGHTS, TRUST
from tests.support.small_cloud import COLUMNS, SmallCloud

from local_cloud.glue import crawler as glue_crawler
from local_cloud.trino import objects
from stock_market_ops.common import aws, partitions
from stock_market_ops.common.deployment import ROOT

REQUEST = re.compile(r'"(GET|HEAD) /[^/?]*-data(/[^?]*)?(\?\S*)? HTTP')


class Stream:
    """A deployment with a crawler, into which objects come, and the role analyses over it."""

    def __init__(self, cloud: SmallCloud, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        self.cloud, self._folder, self._caplog = cloud, folder, caplog
        self._sequence = 0
        self.read: set[str] = set()
        iam = aws.session(cloud.deployment).client("iam")
        role = f"{cloud.deployment.deployment}-glue"
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.put_role_policy(RoleName=role, PolicyName="crawl", PolicyDocument=json.dumps(ALL_RIGHTS))
        cloud.glue.create_crawler(
            Name=cloud.deployment.crawler,
            Role=role,
            DatabaseName=cloud.deployment.database,
            Targets={
                "CatalogTargets": [{"DatabaseName": cloud.deployment.database, "Tables": [cloud.deployment.table]}]
            },
            SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"},
            Configuration=json.dumps(
                {"Version": 1.0, "CrawlerOutput": {"Partitions": {"AddOrUpdateBehavior": "InheritFromTable"}}}
            ),
        )

    def store(self, hour: str, objects: int = 1) -> None:
        """Objects of an hour, `YYYY-MM-DDTHH`, of one quote each."""
        for _ in range(objects):
            values = (f"{hour}:00:00.000Z", 1.0, 1.0, 1.0, 1.0, 1.0, 1000, 1.0, "p", self._sequence)
            row = dict(zip(COLUMNS, ("AAA", *values), strict=True))
            self.cloud.store([row], start_offset=self._sequence)
            self._sequence += 1

    def analyse(self, **variables: Any) -> tuple[playbook.Run, Counter[str]]:
        """Runs the role; returns the run, and how many listings and reads of the data bucket it made itself.

        `read` holds the keys that Athena has read in it.
        """
        known = self.cloud.deployment
        connection = {
            "region": known.region,
            "endpoint_url": known.endpoint_url,
            "access_key": "local-cloud",
            "secret_key": "local-cloud",
        }
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {"group/stock_market.streaming.aws": connection},
            "vars": {
                "stock_market_deployment": known.deployment,
                "stock_market_root": str(ROOT),
                "stock_market_state_dir": str(self.cloud.state_root / known.deployment),
                "analyses_names": ["freshness"],
                **variables,
            },
            "roles": ["analyses"],
        }
        self._caplog.clear()
        self.read.clear()
        with self._caplog.at_level(logging.INFO, logger="werkzeug"):
            done = playbook.run(self._folder, [play], playbook.local_inventory({}))
        found = (REQUEST.search(record.getMessage()) for record in self._caplog.records)
        return done, Counter("read" if match[2] and match[2] != "/" else "list" for match in found if match)

    def crawls(self) -> int:
        """How often the crawler has run."""
        return len(self.cloud.glue.list_crawls(CrawlerName=self.cloud.deployment.crawler)["Crawls"])

    def hours(self) -> set[str]:
        """The partitions that the catalog has."""
        known = self.cloud.deployment
        return {" ".join(hour) for hour in partitions.catalogued(self.cloud.glue, known.database, known.table)}


@pytest.fixture
def stream(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    """An empty bucket, and a table that knows no hour."""
    glue_crawler.install()
    monkeypatch.setattr(glue_crawler, "STOPPING_SECONDS", 0.02)
    cloud = SmallCloud(tmp_path / "cloud")
    cloud.make_table()
    made = Stream(cloud, tmp_path / "play", caplog)
    answer = objects._object

    def noted(environ: Any, start_response: Any, bucket: str, key: str) -> Any:
        if bucket == cloud.deployment.data_bucket:
            made.read.add(key)
        return answer(environ, start_response, bucket, key)

    monkeypatch.setattr(objects, "_object", noted)
    yield made
    cloud.close()


def records(done: playbook.Run) -> int:
    """The number of quotes that the screen shows."""
    assert done.code == 0, done.output
    lines = [line.strip() for line in done.output.splitlines()]
    start = next(n for n, line in enumerate(lines) if line.startswith("Count and freshness"))
    return int(lines[start + 3].split()[0].replace(",", ""))


def test_the_first_hours_are_crawled_and_later_ones_are_added_without_a_crawl(stream: Stream) -> None:
    stream.store("2026-03-02T09", 5)
    first, _ = stream.analyse()
    assert records(first) == 5
    assert stream.crawls() == 1
    stream.store("2026-03-02T10", 3)
    second, _ = stream.analyse()
    assert records(second) == 3  # the newest hour alone
    assert stream.crawls() == 1
    assert stream.hours() == {"2026-03-02 09", "2026-03-02 10"}
    assert (first.counts["changed"], second.counts["changed"]) == (0, 0)
    assert "Quotes that arrived since 2026-03-02 10h (UTC)" in second.output


def test_a_second_run_asks_for_what_is_new_however_much_is_kept(stream: Stream) -> None:
    for day in range(2, 5):
        for hour in range(24):
            stream.store(f"2026-03-{day:02d}T{hour:02d}", day)
        stream.analyse(analyses_crawl="never")
        stream.store(f"2026-03-{day:02d}T23")
        done, requests = stream.analyse()
        assert records(done) == day + 1
        # The days are listed by each of two looks; all their hours are known.
        assert requests == {"list": 2}
        assert {key.partition("/stock-quotes+")[0] for key in stream.read} == {f"quotes/dt=2026-03-{day:02d}/hour=23"}
        assert len(stream.read) == day + 1
    assert stream.crawls() == 0


def test_a_bucket_that_was_kept_for_long_is_not_crawled(stream: Stream) -> None:
    for hour in range(24):
        stream.store(f"2026-03-02T{hour:02d}")
    stream.store("2026-03-03T00")
    done, _ = stream.analyse(analyses_hours=0)
    assert records(done) == 25
    assert stream.crawls() == 0
    assert "arrived since" not in done.output


def test_a_crawl_of_everything_is_one_word_away(stream: Stream) -> None:
    stream.store("2026-03-02T09")
    stream.analyse()
    done, _ = stream.analyse(analyses_crawl="always")
    assert records(done) == 1
    assert stream.crawls() == 2
