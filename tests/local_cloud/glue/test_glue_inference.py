"""What a crawler infers from an object's beginning is what Glue would."""

from __future__ import annotations

import gzip

import pytest

from local_cloud.glue.inference import BIGINT, BOOLEAN, DOUBLE, INT, NULL, SAMPLE_BYTES, STRING, HiveType, infer, merge


def columns(content: bytes) -> dict[str, str]:
    return {name: str(kind) for name, kind in infer(content).columns.items()}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ("1 2", "int"),
        ("2147483647 -2147483648", "int"),
        ("1 2147483648", "bigint"),
        ("1 2.5", "double"),
        ("3000000000 2.5", "double"),
        ("99999999999999999999 1", "double"),
        ("true false", "boolean"),
        ("null 1", "int"),
        ("null null", "string"),
        ('1 "x"', "string"),
        ("true 1", "string"),
        ('"2026-11-23T09:30:00.000Z" "b"', "string"),
        ("[1] [2.5]", "array<double>"),
        ("[] [1]", "array<int>"),
        ('{"A":1} {"b":"x"}', "struct<a:int,b:string>"),
        ('{"a":{"b":[1]}} {"a":{"b":[3000000000]}}', "struct<a:struct<b:array<bigint>>>"),
        ('{"a":1} "x"', "string"),
    ],
)
def test_a_column_of_json_takes_the_narrowest_type_that_holds_all_values(values: str, kind: str) -> None:
    lines = "".join(f'{{"c":{value}}}\n' for value in values.split(" "))
    assert columns(lines.encode()) == {"c": kind}


@pytest.mark.parametrize("left", [NULL, BOOLEAN, INT, BIGINT, DOUBLE, STRING, HiveType("array", element=INT)])
@pytest.mark.parametrize("right", [NULL, BOOLEAN, INT, BIGINT, DOUBLE, STRING, HiveType("array", element=INT)])
def test_merging_types_does_not_depend_on_their_order(left: HiveType, right: HiveType) -> None:
    assert merge(left, right) == merge(right, left)


def test_columns_keep_the_order_of_their_first_appearance_in_lower_case() -> None:
    assert list(columns(b'{"Symbol":"A","close":1}\n{"volume":1,"Symbol":"B"}\n')) == ["symbol", "close", "volume"]


def test_gzip_is_recognized_by_its_content_whatever_the_name() -> None:
    schema = infer(gzip.compress(b'{"a":1}\n'))
    assert (schema.classification, schema.compressed, schema.sampled_records) == ("json", True, 1)


def test_two_gzip_members_are_one_text() -> None:
    assert columns(gzip.compress(b'{"a":1}\n') + gzip.compress(b'{"a":2.5}\n')) == {"a": "double"}


def test_only_the_beginning_of_a_big_object_is_read() -> None:
    line = b'{"a":"' + b"x" * 1000 + b'"}\n'
    schema = infer(gzip.compress(line * 5000))
    assert schema.sampled_bytes <= SAMPLE_BYTES
    assert str(schema.columns["a"]) == "string"


def test_csv_with_a_header_gives_names_and_types_of_glues_classifier() -> None:
    text = b"Index,Date,Open,Close,Volume,Live\nNYA,1965-12-31,528.69,600,0,true\nNYA,1966-01-03,527.21,601,5,false\n"
    schema = infer(text)
    assert schema.has_header
    assert {name: str(kind) for name, kind in schema.columns.items()} == {
        "index": "string",
        "date": "string",
        "open": "double",
        "close": "bigint",
        "volume": "bigint",
        "live": "boolean",
    }


def test_csv_without_a_header_gets_numbered_columns() -> None:
    assert columns(b"1;a\n2;b\n") == {"col0": "bigint", "col1": "string"}


@pytest.mark.parametrize(
    "content", [b"\x00\x01\xff", b"one word a line\nand another\n", b"[1,2]\n", b"\x1f\x8bbroken", b""]
)
def test_what_is_neither_json_nor_csv_is_unknown(content: bytes) -> None:
    assert infer(content).classification == "UNKNOWN"
