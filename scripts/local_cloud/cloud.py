"""The parts of a running local cloud, put together. Importing this imports moto, so its settings must stand by then."""

from __future__ import annotations

import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor

from moto.moto_server.werkzeug_app import MotoRequestHandler
from moto.s3.models import s3_backends
from werkzeug.serving import BaseWSGIServer, make_server

from local_cloud.api import budgets, tagging_lag
from local_cloud.api.application import Application
from local_cloud.api.authorizer import Authorizer
from local_cloud.api.dispatcher import Dispatcher
from local_cloud.athena import api as athena
from local_cloud.ec2 import ami, identities, ssm_instances
from local_cloud.ec2 import endpoints as ec2_endpoints
from local_cloud.ec2 import hooks as ec2_hooks
from local_cloud.ec2.addresses import AddressPool
from local_cloud.ec2.machines import Machines
from local_cloud.ec2.metadata import MetadataService
from local_cloud.glue import api as glue_api
from local_cloud.glue import crawler as glue_crawler
from local_cloud.glue import propagation as glue_propagation
from local_cloud.hosts import host as hosts
from local_cloud.iam import added_calls as iam_added_calls
from local_cloud.iam import list_lag as iam_lag
from local_cloud.s3 import keys as s3_keys
from local_cloud.s3 import lifecycle as s3_lifecycle
from local_cloud.s3 import versions as s3_versions
from local_cloud.s3 import writes as s3_writes
from local_cloud.s3.export import save_bucket
from local_cloud.settings import ACCOUNT_ID, API_PORT, ENGINE_PORT, METADATA_PORT, Settings
from local_cloud.trino.engine import TrinoEngine

LOG = logging.getLogger(__name__)


class QuietRequestHandler(MotoRequestHandler):
    """Logs the requests that failed for a reason of ours; what AWS would answer with 4xx is no event here."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log a request if its answer is 5xx."""
        if str(code).startswith("5"):
            LOG.warning("%s %s: %s", self.command, self.path, code)
        else:
            LOG.debug("%s %s: %s %s", self.command, self.path, code, size)


def install(machines: Machines, block: int) -> None:
    """Put all in moto's place that stands in for AWS more truly than moto does, but for Athena."""
    ec2_hooks.install(machines, AddressPool(block))
    glue_crawler.install()
    glue_api.install()
    glue_propagation.install()
    iam_added_calls.install()
    iam_lag.install()
    tagging_lag.install()
    budgets.install()
    s3_keys.install()
    s3_lifecycle.install()
    s3_versions.install()
    s3_writes.install()
    ssm_instances.install(machines)


class Cloud:
    """A running local cloud."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._machines = Machines(settings, ami.releases(settings))
        install(self._machines, settings.block)
        self._trino = TrinoEngine(settings.directory / "trino", settings.machine_address, ENGINE_PORT)
        # It takes 10 s of CPU time and 0.6 GB, so it runs only once a deployment has what Athena is asked in.
        if settings.engine:
            self._trino.start()
        self._athena = athena.install(self._trino, work_group_made=self._trino.run)
        backend = s3_backends[ACCOUNT_ID]["aws"]
        self._lifecycle = s3_lifecycle.Lifecycle(backend, settings.lifecycle_days_ahead)
        self._servers: list[BaseWSGIServer] = []

    def listen(self, poll_seconds: float) -> None:
        """Open the API to this machine and to the hosts, and the instance metadata to the hosts."""
        settings = self._settings
        guard = Authorizer(endpoint_policy=lambda address: ec2_endpoints.endpoint_policy(self._machines, address))
        api = Application(settings, Dispatcher(), os.getpid(), guard.admit)
        metadata = MetadataService(lambda address: identities.identify(self._machines, address), identities.assume)
        for address, port, application in (
            (settings.gateway_address, METADATA_PORT, metadata),
            (settings.gateway_address, API_PORT, api),
            (settings.machine_address, API_PORT, api),
        ):
            server = make_server(address, port, application, threaded=True, request_handler=QuietRequestHandler)
            self._servers.append(server)
            name = f"{address}:{port}"
            threading.Thread(target=server.serve_forever, args=(poll_seconds,), name=name, daemon=True).start()

    def close(self, limit: float) -> None:
        """Power the hosts off, save what the buckets hold, and remove the hosts."""
        self._machines.close(limit)
        with ThreadPoolExecutor() as pool:
            pool.map(BaseWSGIServer.shutdown, self._servers)
        self._lifecycle.close()
        self._athena.close()
        self._trino.close()
        report = "".join(f"{kept}\n" for kept in self._save_buckets())
        self._settings.directory.mkdir(parents=True, exist_ok=True)
        self._settings.kept_report.write_text(report)
        hosts.remove_leftovers(self._settings)

    def _save_buckets(self) -> list[str]:
        saved = []
        for bucket in list(s3_backends[ACCOUNT_ID]["aws"].buckets.values()):
            kept = save_bucket(bucket.name, bucket.keys.values(), self._settings.kept_directory)
            if kept:
                LOG.info("%s", kept)
                saved.append(kept)
        return saved
