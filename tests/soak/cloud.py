"""S3, IAM and instance metadata of the local cloud, in a process of their own: `python -m tests.soak.cloud FOLDER`.

Writes `cloud.json` into the folder when it serves, and a line into `credentials.log` for each set of credentials.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path

from tests.support.local_cloud.enforcing import ACCOUNT, EC2_TRUST, REGION, Quiet, allow, enforcing_cloud
from werkzeug.serving import make_server

from local_cloud.ec2 import identities
from local_cloud.ec2.metadata import Credentials, Identity, MetadataService

BUCKET = "soak"
_ROLE = f"arn:aws:iam::{ACCOUNT}:role/node"
_IDENTITY = Identity(
    instance_id="i-0123456789abcdef0",
    instance_type="t3.small",
    image_id="ami-1",
    account_id=ACCOUNT,
    region=REGION,
    zone=f"{REGION}a",
    private_address="127.0.0.1",
    public_address="127.0.0.1",
    mac="02:00:00:00:00:01",
    hostname="localhost",
    security_groups=(),
    tags={},
    profile_arn=f"arn:aws:iam::{ACCOUNT}:instance-profile/node",
    profile_id="AIPA1",
    role_name="node",
    role_arn=_ROLE,
    public_key=None,
    hop_limit=1,
)


def serve(folder: Path) -> None:
    """Serves until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    log = folder / "credentials.log"

    def assume(role: str, session: str) -> Credentials:
        found = identities.assume(role, session)
        with log.open("a") as lines:
            lines.write(f"{found.access_key_id} {found.expiration.isoformat()}\n")
        return found

    with enforcing_cloud(folder) as cloud:
        operator = cloud.operator
        operator.s3.create_bucket(Bucket=BUCKET)
        operator.iam.create_role(RoleName="node", AssumeRolePolicyDocument=json.dumps(EC2_TRUST))
        statements = [
            allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{BUCKET}/*"),
            allow("s3:ListBucket", f"arn:aws:s3:::{BUCKET}"),
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        operator.iam.put_role_policy(RoleName="node", PolicyName="objects", PolicyDocument=document)
        service = MetadataService({"127.0.0.1": _IDENTITY}.get, assume)
        metadata = make_server("127.0.0.1", 0, service, threaded=True, request_handler=Quiet)
        threading.Thread(target=metadata.serve_forever, daemon=True).start()
        found = {"endpoint": cloud.endpoint, "metadata": f"http://127.0.0.1:{metadata.server_port}/"}
        (folder / "cloud.new").write_text(json.dumps(found))
        (folder / "cloud.new").rename(folder / "cloud.json")
        stop.wait()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
