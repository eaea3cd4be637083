"""The hosts' images as AMIs: under the names and owner that Debian's have on AWS, so that one filter finds both."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_cloud.hosts import image
from local_cloud.settings import Settings

OWNER = "136693071363"


def _list_file(settings: Settings) -> Path:
    return settings.directory / "amis.json"


def write_list(settings: Settings) -> Path:
    """Write the list of AMIs that moto reads when it is imported, one a release of Debian, and return its path."""
    # An image that is not built yet is built when its first instance is launched.
    today = time.strftime("%Y%m%d", time.gmtime())
    images = {release: (image.recipe(release)[0], image.built_on(release) or today) for release in image.RELEASES}
    return write(_list_file(settings), images)


def releases(settings: Settings) -> dict[str, str]:
    """The release of each AMI of the written list, by the AMI's id."""
    return {ami["ami_id"]: ami["name"].split("-")[1] for ami in json.loads(_list_file(settings).read_text())}


def write(path: Path, images: Mapping[str, tuple[str, str]]) -> Path:
    """Write the list of the releases' images: each has a key (hex digits) and the day it was built on (YYYYMMDD)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([_describe(release, key, day) for release, (key, day) in images.items()]))
    return path


def _describe(release: str, key: str, day: str) -> dict[str, Any]:
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
