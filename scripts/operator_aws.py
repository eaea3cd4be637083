"""Decides what of the operator's AWS settings reaches Ansible and boto3, for operator_shell: its docstring says why."""

from __future__ import annotations

import os
from collections.abc import MutableMapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
Environment = MutableMapping[str, str]
# How each line begins that says what was put aside.
SAYING = "This shell's "


def is_local(inventory: str) -> bool:
    """Whether an inventory, a folder or a file in it, is one of the local cloud: it says where that answers."""
    path = Path(inventory)
    folder = path if path.is_dir() else path.parent
    return (folder / "group_vars" / "all" / "endpoint.yml").exists()


def settle_aws(environment: Environment, given: Sequence[str]) -> list[str]:
    """Keep of the AWS settings what the inventories may see; return what to say of it."""
    if any(map(is_local, given)) or not given:
        endpoints = sorted(name for name in environment if name.startswith("AWS_ENDPOINT_URL"))
        own = is_local_shell(environment)
        forget_aws(environment)
        return [f"{SAYING}{', '.join(endpoints)} is not used: the local cloud has an endpoint of its own."] * bool(
            endpoints and not own
        )
    on_aws = any(resolved(text).is_relative_to(ROOT / "inventory") for text in given)
    return settle_account(environment) if on_aws else []


def resolved(text: str) -> Path:
    """Return a path without links."""
    return Path(text).resolve()


def settle_account(environment: Environment) -> list[str]:
    """Give the settings of a real account one meaning for modules, plugins and programs; return what to say of it."""
    for name in [name for name in environment if name.startswith("AWS_") and not environment[name]]:
        del environment[name]
    # Names that only amazon.aws knows would lead its modules elsewhere than botocore.
    for name in ("AWS_URL", "AWS_ACCESS_KEY", "AWS_SECRET_KEY"):
        environment.pop(name, None)
    leave_sourced_shell(environment)
    profile = environment.pop("AWS_DEFAULT_PROFILE", "")
    if profile:
        environment.setdefault("AWS_PROFILE", profile)
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if region:
        environment["AWS_REGION"] = environment["AWS_DEFAULT_REGION"] = region
    says = []
    if "AWS_ACCESS_KEY_ID" in environment and environment.pop("AWS_PROFILE", ""):
        says.append(f"{SAYING}AWS keys are used and not its AWS_PROFILE, as by every AWS tool.")
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        for name in [name for name in environment if name.startswith("AWS_ENDPOINT_URL")]:
            del environment[name]
    if endpoint := environment.get("AWS_ENDPOINT_URL"):
        says.append(f"{SAYING}AWS_ENDPOINT_URL is used: inventory and modules ask the AWS API at {endpoint}.")
    return says


def is_sourced(environment: Environment) -> bool:
    """Whether the shell has sourced a deployment's env.sh."""
    folder = resolved(environment.get("AWS_CONFIG_FILE", "/")).parent
    return folder.name == "aws" and (folder.parent / "env.sh").exists()


def is_local_shell(environment: Environment) -> bool:
    """Whether that deployment is on the local cloud, whose profile has keys of its own."""
    if not is_sourced(environment):
        return False
    return has_keys(resolved(environment["AWS_CONFIG_FILE"]).with_name("credentials"))


def has_keys(credentials: Path) -> bool:
    """Whether a credentials file of a deployment holds keys: only the local cloud's are kept in one."""
    return credentials.is_file() and "aws_access_key_id" in credentials.read_text(encoding="utf-8")


def leave_sourced_shell(environment: Environment) -> None:
    """Give back the operator's own profile where env.sh is sourced: a deployment's profile can't be its own source."""
    if not is_sourced(environment):
        return
    if is_local_shell(environment):
        environment.pop("AWS_ENDPOINT_URL", None)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        environment.pop(name, None)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE"):
        if before := environment.get(f"STOCK_MARKET_USER_{name}"):
            environment[name] = before


def forget_aws(environment: Environment) -> None:
    """Take nothing from the operator's AWS settings: variables, files and instance metadata."""
    for name in [name for name in environment if name.startswith(("AWS_", "BOTO"))]:
        del environment[name]
    environment["AWS_CONFIG_FILE"] = environment["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    environment["AWS_EC2_METADATA_DISABLED"] = "true"
