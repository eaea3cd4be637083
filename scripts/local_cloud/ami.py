"""The hosts' image as an AMI: under the name and owner that Debian's has on AWS, so that one filter finds both."""

from __future__ import annotations

import json
from pathlib import Path

from local_cloud import image
from local_cloud.settings import Settings

OWNER = "136693071363"


def write_list(settings: Settings, host_image: str) -> Path:
    """Write the list of AMIs that moto reads when it is imported, and return its path."""
    return write(settings.directory / "amis.json", host_image.rpartition(":")[2], image.built_on(host_image))


def write(path: Path, key: str, day: str) -> Path:
    """Write the list of one AMI, that of the image with this key (hex digits), built on this day (YYYYMMDD)."""
    name = f"debian-12-amd64-{day}-{int(key[:8], 16) % 9000 + 1000}"
    description = {
        "ami_id": f"ami-0{key}",
        "name": name,
        "description": "Debian 12 (local cloud)",
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
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([description]))
    return path
