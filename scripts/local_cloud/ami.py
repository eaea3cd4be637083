"""The hosts' images as AMIs: under the names and owner that Debian's have on AWS, so that one filter finds both."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from local_cloud import image
from local_cloud.settings import Settings

OWNER = "136693071363"


def _list_file(settings: Settings) -> Path:
    return settings.directory / "amis.json"


def write_list(settings: Settings) -> Path:
    """Write the list of AMIs that moto reads when it is imported, one a release of Debian, and return its path."""
    path = _list_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([_describe(release) for release in image.RELEASES]))
    return path


def releases(settings: Settings) -> dict[str, str]:
    """The release of each AMI of the written list, by the AMI's id."""
    return {ami["ami_id"]: ami["name"].split("-")[1] for ami in json.loads(_list_file(settings).read_text())}


def _describe(release: str) -> dict[str, Any]:
    key = image.recipe(release)[0]
    # An image that is not built yet is built when its first instance is launched.
    day = image.built_on(release) or time.strftime("%Y%m%d", time.gmtime())
    name = f"debian-{release}-amd64-{day}-{int(key[:8], 16) % 9000 + 1000}"
    return {
        "ami_id": f"ami-0{key}",
        "name": name,
        "description": f"Debian {release} (local cloud)",
        "owner_id": OWNER,
        "creation_date": f"{day[:4]}-{day[4:6]}-{day[6:]}T00:00:00.000Z",
        "image_location": f"amazon/{name}",
        "public": True,
        "state": "available",
        "architecture": "x86_64",
        "image_type": "machine",
        "virtualization_type": "hvm",
        "hypervisor": "xen",
        "root_device_type": "ebs",
        "root_device_name": "/dev/xvda",
        "sriov": "simple",
    }
