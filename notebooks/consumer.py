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
# # Consumer: records go from Kafka to S3
#
# This notebook reads the topic `notebook-quotes` and writes what it reads to S3 as JSON. Run `producer.ipynb` first.
#
# The tutorials write one object per record. Here one object holds a batch of records, one JSON object per line,
# because S3 charges for each request, and a query engine opens every object that it reads: 100 records in 4 objects
# are cheaper and faster than in 100.
#
# The objects go below `notebooks/` of the data bucket. The stream's own objects are below `quotes/`, where these
# credentials cannot write.

# %%
import json
import os
from pathlib import Path

import boto3
import pandas as pd
from IPython.display import display
from kafka import KafkaConsumer

TOPIC = "notebook-quotes"
GROUP = "notebook"
BATCH = 25
BATCHES = 40
WAIT_MS = 10_000

# %% [markdown]
# ## The connections
#
# Kafka's settings are in `notebook.conf`, one per line. The names of the bucket and of the AWS profile are in
# `deployment.json`. The profile assumes a role that may query Athena and write below `notebooks/`, and nothing else.
# No key is written in a notebook.

# %%
state = Path("..", ".state", os.environ.get("STOCK_MARKET_DEPLOYMENT", "stock-market"))
lines = (state / "clients" / "notebook.conf").read_text().splitlines()
settings = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
deployment = json.loads((state / "deployment.json").read_text())

kafka = {
    "bootstrap_servers": settings["bootstrap.servers"].split(","),
    "security_protocol": "SASL_SSL",
    "ssl_cafile": settings["ssl.ca.location"],
    "sasl_mechanism": settings["sasl.mechanism"],
    "sasl_plain_username": settings["sasl.username"],
    "sasl_plain_password": settings["sasl.password"],
}

os.environ["AWS_CONFIG_FILE"] = deployment["aws_config_file"]
os.environ["AWS_SHARED_CREDENTIALS_FILE"] = deployment["aws_credentials_file"]
s3 = boto3.Session(profile_name=deployment["notebook_profile"]).client("s3")
bucket = deployment["data_bucket"]
print("Bucket:", bucket)

# %% [markdown]
# ## Read and write
#
# `poll` returns at most `BATCH` records, or none if nothing arrives within `WAIT_MS` milliseconds: then the loop
# ends. It also ends after `BATCHES` batches.
#
# The values are JSON already, so each becomes one line as it is. An object's name has the partition and the offset of
# its first record. The position is committed only after the object is stored, so a notebook that is stopped in
# between reads the same records again and loses none.

# %%
consumer = KafkaConsumer(
    TOPIC,
    **kafka,
    group_id=GROUP,
    auto_offset_reset="earliest",
    enable_auto_commit=False,
)

written = []
for _ in range(BATCHES):
    polled = consumer.poll(timeout_ms=WAIT_MS, max_records=BATCH)
    if not polled:
        break
    for partition, records in polled.items():
        name = f"notebooks/quotes/{TOPIC}+{partition.partition}+{records[0].offset:020d}.json"
        body = b"".join(record.value + b"\n" for record in records)
        s3.put_object(Bucket=bucket, Key=name, Body=body)
        written.append((name, len(records)))
    consumer.commit()

consumer.close()
pd.set_option("display.max_colwidth", None)
pd.DataFrame(written, columns=["object", "records"])

# %% [markdown]
# ## Read one back
#
# S3 lists the objects below `notebooks/quotes/`, at most 1,000 at a time. One of them is read and becomes a table
# again.

# %%
listed = s3.list_objects_v2(Bucket=bucket, Prefix="notebooks/quotes/").get("Contents", [])
print(len(listed), "objects of", sum(entry["Size"] for entry in listed), "bytes")

if written:
    name, _ = written[-1]
    body = s3.get_object(Bucket=bucket, Key=name)["Body"].read()
    print(name)
    display(pd.DataFrame([json.loads(line) for line in body.splitlines()]))
else:
    print("There was nothing new in the topic: run producer.ipynb again.")
