"""Promises about the settings of the program that makes history, as the role stock_history writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import pytest

from stock_market.errors import SettingsError
from stock_market.settings import HistoryIceberg, HistorySettings, decode

TEMPLATE = Path(__file__).resolve().parents[3] / "roles" / "stock_history" / "templates" / "history.toml.j2"
OPTIONS: dict[str, Any] = {
    "ansible_managed": "managed",
    "inventory_hostname": "node-1",
    "stock_history_margin_seconds": 120,
    "stock_history_late_days": 8,
    "stock_history_grace_seconds": 7200,
    "stock_history_bucket": "data",
    "stock_history_quotes_prefix": "quotes/",
    "stock_history_prefix": "history/",
    "stock_history_region": "us-east-1",
    "stock_history_database": "stock_market",
    "stock_history_workgroup": "stock-market",
    "stock_history_quotes_table": "quotes",
    "stock_history_table": "quotes_history",
    "stock_history_view": "quotes_all",
    "stock_history_iceberg_table": "quotes_iceberg",
    "stock_history_iceberg_prefix": "iceberg/",
    "stock_history_bootstrap_servers": ["10.0.0.1:9092"],
    "stock_history_topic": "stock-quotes",
    "stock_history_secure": False,
}


@pytest.mark.parametrize(
    ("is_on", "found"), [(False, None), (True, HistoryIceberg(table="quotes_iceberg", prefix="iceberg/"))]
)
def test_the_role_s_file_has_an_iceberg_table_only_where_it_is_wanted(
    is_on: bool, found: HistoryIceberg | None
) -> None:
    # Not HTML, and Ansible's own templates have the same behaviour.
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    environment.filters |= {"to_json": json.dumps, "bool": bool}
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(OPTIONS, stock_history_iceberg=is_on)
    settings = decode(text.encode(), "history.toml", HistorySettings)
    assert settings.iceberg == found
    assert settings.kafka is not None


@pytest.mark.parametrize(
    ("iceberg_settings", "why"),
    [
        ('table = "quotes_all"', "iceberg.table is 'quotes_all', which is another table's name, or the view's"),
        ('prefix = "history/iceberg/"', "must not lie within each other"),
        ('prefix = "quotes/"', "must not lie within each other"),
        ('prefix = "iceberg"', "Expected `str` matching regex"),
    ],
)
def test_an_iceberg_table_in_another_s_place_is_refused(iceberg_settings: str, why: str) -> None:
    text = f'[s3]\nbucket = "data"\n[catalog]\ndatabase = "d"\nworkgroup = "w"\n[iceberg]\n{iceberg_settings}\n'
    with pytest.raises(SettingsError) as refused:
        decode(text.encode(), "settings", HistorySettings)
    assert why in str(refused.value)
    assert decode(text.replace(iceberg_settings, "").encode(), "settings", HistorySettings).iceberg is not None
