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
# # Producer: rows of a CSV file go to Kafka
#
# This notebook sends random rows of a CSV file to a Kafka topic, one JSON object per record, as the well-known
# tutorials do. Three things differ:
#
# - The connection is encrypted (TLS), and you log in with a password. Address, user and password come from a file.
# - The loop ends. It sends 100 records, and you can run the cell again.
# - The topic is `notebook-quotes`. The stream's own topic, `stock-quotes`, is closed to the user of the notebooks, so
#   nothing here can disturb it.
#
# `make notebook` has created the topic, the user and the file.

# %%
import json
import os
import time
from pathlib import Path

import pandas as pd
from kafka import KafkaProducer

TOPIC = "notebook-quotes"
RECORDS = 100
PAUSE_SECONDS = 0.05

# %% [markdown]
# ## The connection
#
# Each deployment keeps its files in a folder of its own. `notebook.conf` has one setting per line, as `name=value`.

# %%
state = Path("..", ".state", os.environ.get("STOCK_MARKET_DEPLOYMENT", "stock-market"))
lines = (state / "clients" / "notebook.conf").read_text().splitlines()
settings = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

kafka = {
    "bootstrap_servers": settings["bootstrap.servers"].split(","),
    "security_protocol": "SASL_SSL",
    "ssl_cafile": settings["ssl.ca.location"],
    "sasl_mechanism": settings["sasl.mechanism"],
    "sasl_plain_username": settings["sasl.username"],
    "sasl_plain_password": settings["sasl.password"],
}
print("Brokers:", settings["bootstrap.servers"])
print("User:   ", settings["sasl.username"])

# %% [markdown]
# ## The data
#
# `indexes.csv` has 20 days of 13 stock indexes. The prices are invented. Replace the file's name with your own file
# if you have one.

# %%
quotes = pd.read_csv("indexes.csv").dropna()
print(len(quotes), "rows")
quotes.head()

# %% [markdown]
# ## Send
#
# The serializer turns each row into JSON. The key is the index: Kafka keeps the records of one key in order.
#
# `send` only puts a record into a buffer. `flush` waits until the brokers have acknowledged all of them, and `get`
# raises an error if they refused one.

# %%
producer = KafkaProducer(
    **kafka,
    key_serializer=str.encode,
    value_serializer=lambda row: json.dumps(row).encode(),
)

sent = []
for _ in range(RECORDS):
    row = quotes.sample(1).to_dict(orient="records")[0]
    sent.append(producer.send(TOPIC, key=row["Index"], value=row))
    time.sleep(PAUSE_SECONDS)

producer.flush()
stored = [future.get(timeout=10) for future in sent]
producer.close()
print("Stored", len(stored), "records, the last one at offset", stored[-1].offset, "of", stored[-1].topic)

# %% [markdown]
# Next: `consumer.ipynb` reads the records and writes them to S3.
