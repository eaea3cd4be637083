"""The settings files of what a round starts."""

CONSUMER = """\
[kafka]
bootstrap_servers = ["{address}"]
topic = "{topic}"
group_id = "group-{topic}"
instance_id = "{instance}"
session_timeout_seconds = {session}
[s3]
bucket = "{bucket}"
[cut]
seconds = {seconds}
records = {records}
"""
PRODUCER = """\
rate = {rate}
[simulate]
symbols = 40
seed = {number}
[kafka]
bootstrap_servers = ["{address}"]
topic = "{topic}"
in_flight_records = {in_flight}
"""
