"""S3, Glue and Athena of a round, until SIGTERM: `python -m tests.chaos.history.cloud PORT`."""

from __future__ import annotations

import signal
import sys
import threading

from moto.server import ThreadedMotoServer
from tests.support.engine import engine

from local_cloud.athena import api as athena
from local_cloud.glue import api as glue_api
from local_cloud.s3 import keys as s3_keys
from local_cloud.s3 import writes as s3_writes


def main() -> int:
    """The program."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    glue_api.install()
    s3_keys.install()
    s3_writes.install()
    executor = athena.install(engine())
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=int(sys.argv[1]), verbose=False)
    server.start()
    over.wait()
    executor.close()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
