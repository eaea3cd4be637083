"""What the operator's programs know of a deployment: the file that role `operator` writes."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import msgspec

import operator_shell
from stock_market.settings import KafkaSecurity

ROOT = Path(__file__).resolve().parents[3]
DEFAULT_NAME = "stock-market"
EXIT_NO_DEPLOYMENT = 3


class DeploymentError(Exception):
    """There is no deployment to talk to; the message is one sentence that says what to do."""


class Instance(msgspec.Struct, frozen=True):
    """An EC2 instance as the inventory saw it when `cloud.yml` last ran. `access` is how SSH reaches it: ssh or ssm."""

    name: str
    instance_id: str
    public_address: str
    private_address: str
    services: list[str]
    access: str = "ssh"


class Deployment(msgspec.Struct, frozen=True):
    """Names and addresses of one deployment.

    `endpoint_url` is empty on AWS. `bootstrap_servers` are the brokers' EXTERNAL listeners, comma-separated.
    `kafka_security` says as which user and how to talk to them; None is PLAINTEXT.
    `consumers` is how many are to be in the consumer group, `flush_seconds` how long one may hold records before it
    writes them to S3. `replay_profile` takes on the role that may write replayed quotes, `notebook_profile`
    the notebooks' role, `history_profile` the role that writes the history; each is empty where there is none.
    `history_table` is below `history_prefix` of the data bucket, and `view` joins it with `table`. `iceberg_table` is
    below `iceberg_prefix`, and empty where no Iceberg table is kept.
    """

    deployment: str
    region: str
    endpoint_url: str
    aws_profile: str
    aws_config_file: str
    aws_credentials_file: str
    data_bucket: str
    results_bucket: str
    workgroup: str
    database: str
    table: str
    crawler: str
    bootstrap_servers: str
    topic: str
    consumer_group: str
    ssh_config: str
    consumers: int
    flush_seconds: float
    instances: list[Instance]
    kafka_security: KafkaSecurity | None = None
    replay_profile: str = ""
    notebook_profile: str = ""
    history_profile: str = ""
    history_table: str = "quotes_history"
    view: str = "quotes_all"
    history_prefix: str = "history/"
    iceberg_table: str = ""
    iceberg_prefix: str = "iceberg/"

    def carrying(self, service: str) -> list[Instance]:
        """Return the instances that carry `service`, as stock_market_instances names it."""
        return [instance for instance in self.instances if service in instance.services]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a command's deployment: by default $STOCK_MARKET_DEPLOYMENT's, of this checkout."""
    default = os.environ.get("STOCK_MARKET_DEPLOYMENT") or DEFAULT_NAME
    parser.add_argument("--deployment", default=default, help="default: %(default)s")
    parser.add_argument("--state-root", type=Path, default=ROOT / ".state", help=argparse.SUPPRESS)


def deployment_of(options: argparse.Namespace) -> Deployment:
    """Load the deployment that the options name; without one, end the program with a sentence and exit code 3."""
    try:
        return load(options.deployment, options.state_root)
    except DeploymentError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_NO_DEPLOYMENT)


def load(name: str, state_root: Path | None = None) -> Deployment:
    """Read `.state/<name>/deployment.json`, and leave of the shell's AWS settings what the deployment may see.

    Raises:
        DeploymentError: the file is absent, unreadable or not of this form.
    """
    path = (state_root or ROOT / ".state") / name / "deployment.json"
    try:
        deployment = msgspec.json.decode(path.read_bytes(), type=Deployment)
    except FileNotFoundError:
        raise DeploymentError(f"There is no deployment {name!r} ({path} is absent): run `make up` first.") from None
    except (OSError, msgspec.DecodeError) as error:
        raise DeploymentError(f"{path} cannot be used ({error}): run `make up`, which writes it again.") from None
    operator_shell.settle_deployment(os.environ, deployment.endpoint_url, Path(deployment.aws_credentials_file))
    return deployment
