"""The user's own AWS credentials, handed to the deployment's profile as its `credential_process`.

The profile under `.state/` must hold no secret, and a profile has no word for "whatever the user's own environment
says". So it names this program, which asks boto3's usual chain (environment, profile, SSO, instance role) each time.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

import boto3
from botocore.exceptions import BotoCoreError

import operator_aws


def document(session: boto3.Session) -> dict[str, str | int]:
    """Return the session's credentials in the form that credential_process asks for.

    Raises:
        LookupError: the chain finds none.
    """
    credentials = session.get_credentials()
    if credentials is None:
        raise LookupError("no AWS credentials in the environment, in the user's profile or on this machine")
    frozen = credentials.get_frozen_credentials()
    result: dict[str, str | int] = {
        "Version": 1,
        "AccessKeyId": str(frozen.access_key),
        "SecretAccessKey": str(frozen.secret_key),
    }
    if frozen.token:
        result["SessionToken"] = frozen.token
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the credentials as JSON and return the exit code."""
    definition = argparse.ArgumentParser(prog="stock_market_ops.common.credentials")
    definition.add_argument("--profile", help="the user's own profile; without it, the default chain")
    options = definition.parse_args(arguments)
    # A caller that has sourced env.sh names the deployment's profile, which would lead straight back to this program.
    operator_aws.leave_sourced_shell(os.environ)
    # The profile is the one of the command line, or none.
    os.environ.pop("AWS_PROFILE", None)
    os.environ.pop("AWS_DEFAULT_PROFILE", None)
    try:
        found = document(boto3.Session(profile_name=options.profile))
    except (BotoCoreError, LookupError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    json.dump(found, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
