"""A lost or new catalog: what is history in S3 is read again, without being written again, also where raw is gone."""

from __future__ import annotations

import pytest
from tests.support.stock_market.history import Deployment, hour_at

from stock_market.history.compactor.catalog import State
from stock_market.history.view import History


@pytest.fixture
def made(deployment: Deployment) -> Deployment:
    """Three hours of history, and a fourth that is raw."""
    for hour in range(4):
        deployment.main(10 * hour, range(10 * hour, 10 * hour + 10), hour)
    assert deployment.run().hours == [hour_at(hour) for hour in range(3)]
    return deployment


def lose(deployment: Deployment, *, table: bool = True) -> None:
    """Makes the catalog as a new deployment over a kept bucket has it."""
    glue = deployment.clients.glue
    for name in ("quotes_all", *(("quotes_history",) if table else ())):
        glue.delete_table(DatabaseName=deployment.database, Name=name)
    deployment.catalog.declare()


def expire(deployment: Deployment, hour: int) -> None:
    """Deletes the raw objects of an hour."""
    for key in deployment.bucket.keys(hour_at(hour).folder("quotes/")):
        deployment.lake.delete(key)


@pytest.mark.parametrize("table", [True, False], ids=["the table and the view", "the view"])
def test_a_lost_catalog_is_made_again_from_the_manifests_without_writing(made: Deployment, table: bool) -> None:
    stored, tries = made.stored(), [made.folder(hour_at(hour)) for hour in range(3)]
    lose(made, table=table)
    assert made.numbers() == [*range(40)]
    outcome = made.run(grace_seconds=0)
    assert (outcome.adopted, outcome.hours, outcome.problems) == ([hour_at(hour) for hour in range(3)], [], [])
    assert (made.stored(), [made.folder(hour_at(hour)) for hour in range(3)]) == (stored, tries)
    assert made.numbers() == [*range(40)]
    assert made.history.watermark == hour_at(3).text
    assert made.run().adopted == []


def test_hours_whose_raw_objects_have_expired_are_read_again(made: Deployment) -> None:
    expire(made, 0)
    expire(made, 1)
    lose(made)
    assert made.numbers() == [*range(20, 40)]
    assert made.run(grace_seconds=0, dry=True).adopted == [hour_at(hour) for hour in range(3)]
    assert made.history == History()
    made.run(grace_seconds=0)
    assert made.numbers() == [*range(40)]


def test_an_hour_without_a_manifest_is_written_and_those_after_it_are_adopted(made: Deployment) -> None:
    expire(made, 2)
    made.bucket.client.delete_object(Bucket=made.bucket.name, Key=made.folder(hour_at(1)).manifest_key("history/"))
    lose(made)
    outcome = made.run(grace_seconds=0)
    assert (outcome.adopted, outcome.hours) == ([hour_at(0), hour_at(2)], [hour_at(1)])
    assert made.numbers() == [*range(40)]


def test_a_try_that_lacks_what_came_later_is_not_adopted_while_all_is_raw(made: Deployment) -> None:
    lose(made)
    made.main(0, range(100, 105), 1, partition=1)
    made.main(5, range(105, 110), 3, partition=1)
    before = made.numbers()
    assert before == sorted([*range(40), *range(100, 110)])
    outcome = made.run()
    assert (outcome.adopted, outcome.hours) == ([hour_at(0), hour_at(2)], [hour_at(1)])
    assert made.numbers() == before


def test_a_damaged_try_is_not_adopted(made: Deployment) -> None:
    (file, *_) = made.manifest(hour_at(0)).files
    made.bucket.client.delete_object(Bucket=made.bucket.name, Key=file.key)
    lose(made)
    outcome = made.run()
    assert (outcome.adopted, outcome.hours) == ([hour_at(1), hour_at(2)], [hour_at(0)])
    assert made.numbers() == [*range(40)]


def test_two_that_adopt_at_once_publish_once(made: Deployment) -> None:
    lose(made)
    states: list[State] = []

    def step(name: str, _: object) -> None:
        if name == "publish" and not states:
            states.append(made.catalog.state())
            made.run()

    outcome = made.run(step)
    assert outcome.adopted == []
    assert outcome.problems == []
    assert made.numbers() == [*range(40)]
    assert made.history.watermark == hour_at(3).text
