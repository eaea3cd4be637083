# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: jupytext,kernelspec,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Analysis: the questions of `make query`, as tables and plots
#
# The stream writes its quotes to S3, and Athena reads them there with SQL. This notebook asks the ten named analyses
# one by one. Their SQL is in `roles/analyses/files`, one file each, so that you can read it, and `make query
# ANALYSIS=volume` asks the same.

# %%
import datetime as dt
import json
import os
from pathlib import Path

import boto3
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from pyathena import connect
from pyathena.pandas.cursor import PandasCursor

# %% [markdown]
# ## The connection
#
# PyAthena runs SQL in Athena and gives the answer as a table of pandas. The AWS profile assumes a role that may query
# Athena and read the quotes; it cannot change them. No key is written in a notebook.

# %%
state = Path("..", ".state", os.environ.get("STOCK_MARKET_DEPLOYMENT", "stock-market"))
deployment = json.loads((state / "deployment.json").read_text())
os.environ["AWS_CONFIG_FILE"] = deployment["aws_config_file"]
os.environ["AWS_SHARED_CREDENTIALS_FILE"] = deployment["aws_credentials_file"]

athena = connect(
    session=boto3.Session(profile_name=deployment["notebook_profile"]),
    work_group=deployment["workgroup"],
    schema_name=deployment["database"],
    cursor_class=PandasCursor,
    poll_interval=0.2,
)


def ask(sql: str, *values: object) -> pd.DataFrame:
    """Return Athena's answer as a table. Each `?` in the SQL stands for one of the values."""
    quoted = [f"'{value}'" for value in values]
    return athena.cursor().execute(sql, quoted or None, paramstyle="qmark").as_pandas()


# %% [markdown]
# Athena charges for the bytes that it reads, so the analyses look at the newest day only. For all days, set `SINCE`
# to `"2000-01-01"`.
#
# Each analysis has two `?`: the first day, by which Athena leaves out whole folders of S3, and the first hour.

# %%
NEWEST = ask(
    "SELECT max(dt) AS day FROM quotes_all WHERE dt >= ?", dt.datetime.now(dt.UTC).date() - dt.timedelta(days=31)
)
SINCE = NEWEST["day"].iloc[0]
ANALYSES = Path("..", "roles", "analyses", "files")


def analysis(name: str) -> pd.DataFrame:
    """Return the answer of a named analysis, from the day `SINCE` on."""
    return ask((ANALYSES / f"{name}.sql").read_text(), SINCE, SINCE)


print("Quotes since", SINCE)

# %% [markdown]
# ## Preview
#
# The ten newest quotes: each sums up one interval of one symbol, from its opening to its closing price.

# %%
analysis("preview")

# %% [markdown]
# ## Count and freshness
#
# How many quotes there are, and how old the newest one is. A stream that works has a `seconds_old` below a minute or
# two.

# %%
analysis("freshness")

# %% [markdown]
# ## Average level
#
# The mean price of each symbol, in US dollars, so that symbols of different currencies can be compared.

# %%
level = analysis("average_level")
level.plot.barh(x="symbol", y="average_close_usd", legend=False, xlabel="US dollars", title="Average close")
plt.gca().invert_yaxis()
plt.show()
display(level)

# %% [markdown]
# ## Volume
#
# What was traded most, and its share of all trade.

# %%
volume = analysis("volume")
volume.plot.bar(x="symbol", y="share_percent", legend=False, ylabel="percent", title="Share of the volume")
plt.show()
display(volume)

# %% [markdown]
# ## Record highs
#
# Each symbol's highest price, and how far below it the last price is. Zero percent: the record is being set now.

# %%
highs = analysis("record_high")
highs.plot.barh(
    x="symbol", y="below_record_percent", legend=False, xlabel="percent", title="Distance from the record high"
)
plt.gca().invert_yaxis()
plt.show()
display(highs)

# %% [markdown]
# ## Largest moves
#
# The biggest steps from one closing price to the next of the same symbol. Most steps are small, so a large one
# deserves a look.

# %%
moves = analysis("largest_moves")
colors = moves["move_percent"].map(lambda move: "tab:green" if move > 0 else "tab:red")
plt.bar(moves["symbol"] + "\n" + moves["event_time"].str[11:19], moves["move_percent"], color=colors)
plt.xticks(rotation=90)
plt.ylabel("percent")
plt.title("Largest moves")
plt.show()
display(moves)

# %% [markdown]
# ## Trend
#
# Minute by minute, how many symbols rose and how many fell.

# %%
trend = analysis("trend").sort_values("minute")
trend.plot.bar(
    x="minute", y=["rising", "falling"], color=["tab:green", "tab:red"], ylabel="symbols", title="Rising and falling"
)
plt.show()
display(trend)

# %% [markdown]
# ## Volatility
#
# How far the last 20 prices of a symbol swing. The bar is the swing now, the dot the widest swing of the day.

# %%
volatility = analysis("volatility")
plt.bar(volatility["symbol"], volatility["now_percent"], label="now")
plt.plot(volatility["symbol"], volatility["wildest_percent"], "o", color="tab:red", label="widest")
plt.xticks(rotation=90)
plt.ylabel("percent")
plt.legend()
plt.title("Volatility")
plt.show()
display(volatility)

# %% [markdown]
# ## Daily range
#
# The distance between a day's lowest and highest price of a symbol.

# %%
ranges = analysis("daily_range")
ranges.plot.barh(x="symbol", y="range_percent", legend=False, xlabel="percent", title="Daily range")
plt.gca().invert_yaxis()
plt.show()
display(ranges)

# %% [markdown]
# ## Quality
#
# The producer numbers its quotes, so a count proves that nothing is lost or stored twice: `missing` and `doubles` are
# zero. Quotes that are `pending` are still on their way.

# %%
quality = analysis("quality")
print("Missing:", quality["missing"].sum(), " Doubles:", quality["doubles"].sum())
display(quality)

# %% [markdown]
# ## Your own question
#
# Any SQL works. This one draws the prices of the symbol that was traded most.

# %%
symbol = volume["symbol"].iloc[0]
prices = ask(
    "SELECT event_time, close FROM quotes_all WHERE dt >= ? AND symbol = ? ORDER BY event_time LIMIT 5000",
    SINCE,
    symbol,
)
plt.plot(pd.to_datetime(prices["event_time"]), prices["close"])
plt.xticks(rotation=45)
plt.title(symbol)
plt.show()
prices.describe()
