"""Which actions an S3 request is, on which resources.

S3's requests name no action. The table is that of AWS's documentation:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree

Pairs = list[tuple[str, str]]

_SET = {
    "acl": "BucketAcl",
    "encryption": "EncryptionConfiguration",
    "lifecycle": "LifecycleConfiguration",
    "ownershipcontrols": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "publicaccessblock": "BucketPublicAccessBlock",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
}
_ASKED = {
    "accelerate": "AccelerateConfiguration",
    "analytics": "AnalyticsConfiguration",
    "cors": "BucketCORS",
    "intelligent-tiering": "IntelligentTieringConfiguration",
    "inventory": "InventoryConfiguration",
    "location": "BucketLocation",
    "logging": "BucketLogging",
    "metrics": "MetricsConfiguration",
    "notification": "BucketNotification",
    "object-lock": "BucketObjectLockConfiguration",
    "policystatus": "BucketPolicyStatus",
    "replication": "ReplicationConfiguration",
    "requestpayment": "BucketRequestPayment",
    "website": "BucketWebsite",
}
_LISTS = {
    "uploads": "ListBucketMultipartUploads",
    "versions": "ListBucketVersions",
}


def split_path(environ: Mapping[str, Any]) -> tuple[str, str]:
    """Bucket and key of a request; each may be empty."""
    path = environ.get("PATH_INFO", "/").encode("latin-1", "replace").decode("utf-8", "replace")
    bucket, _, key = path.removeprefix("/").partition("/")
    return bucket, key


def query_of(environ: Mapping[str, Any]) -> dict[str, str]:
    """The query string, its names in lower case."""
    pairs = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    return {name.lower(): value for name, value in pairs}


def actions_of(environ: Mapping[str, Any], body: str) -> Pairs | None:
    """The actions and ARNs of a request, None if it is one that is not known here.

    `body` is the text of the request where it is a DeleteObjects, which names the keys there; AWS refuses it key by
    key, the local cloud as a whole if one is refused.
    """
    bucket, key = split_path(environ)
    query = query_of(environ)
    method = environ.get("REQUEST_METHOD", "GET")
    if not bucket:
        return [("s3:ListAllMyBuckets", "*")] if method == "GET" else None
    arn = f"arn:aws:s3:::{bucket}"
    if not key:
        if method == "POST" and "delete" in query:
            return _deletions(arn, body)
        action = _bucket_action(method, query)
        return None if action is None else [(f"s3:{action}", arn)]
    actions = _object_actions(method, query, environ)
    if actions is None:
        return None
    pairs = [(f"s3:{action}", f"{arn}/{key}") for action in actions]
    source = environ.get("HTTP_X_AMZ_COPY_SOURCE")
    if source and method == "PUT":
        pairs.append(("s3:GetObject", f"arn:aws:s3:::{unquote(source).removeprefix('/').partition('?')[0]}"))
    return pairs


def conditions_of(environ: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The condition keys of S3 that a request carries.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html and, for writes,
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html: the calls of a multipart
    upload before its completion make no object.
    """
    query = query_of(environ)
    found: dict[str, tuple[str, ...]] = {
        f"s3:{name}": (query[name],) for name in ("prefix", "delimiter", "max-keys") if name in query
    }
    method = environ.get("REQUEST_METHOD", "GET")
    if method in {"PUT", "POST"} and split_path(environ)[1]:
        creates = "uploads" not in query and "partnumber" not in query
        found["s3:objectcreationoperation"] = (str(creates).lower(),)
        if "HTTP_IF_NONE_MATCH" in environ:
            found["s3:if-none-match"] = (environ["HTTP_IF_NONE_MATCH"],)
    return found


def _deletions(arn: str, body: str) -> Pairs | None:
    try:
        objects = ElementTree.fromstring(body).findall("{*}Object")
    except ElementTree.ParseError:
        return None
    versions = ["s3:DeleteObjectVersion" if entry.find("{*}VersionId") is not None else "" for entry in objects]
    names = [f"{arn}/{entry.findtext('{*}Key', '')}" for entry in objects]
    return [(version or "s3:DeleteObject", name) for version, name in zip(versions, names, strict=True)] or None


def _bucket_action(method: str, query: Mapping[str, str]) -> str | None:
    named = next((name for name in query if name in _SET or name in _ASKED or name in _LISTS), None)
    if named is None:
        return {"GET": "ListBucket", "HEAD": "ListBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}.get(method)
    if method in {"GET", "HEAD"}:
        return _LISTS.get(named) or f"Get{_SET.get(named) or _ASKED[named]}"
    if named not in _SET:
        return None
    if method == "DELETE":
        return "DeleteBucketPolicy" if named == "policy" else f"Put{_SET[named]}"
    return f"Put{_SET[named]}" if method == "PUT" else None


def _object_actions(method: str, query: Mapping[str, str], environ: Mapping[str, Any]) -> list[str] | None:
    version = "Version" if "versionid" in query else ""
    about = next((name for name in ("acl", "tagging") if name in query), "").capitalize()
    match method:
        case "GET" | "HEAD":
            if "uploadid" in query:
                return ["ListMultipartUploadParts"]
            if "legal-hold" in query or "retention" in query:
                return None
            read = [f"GetObject{version}{about}"]
            return [*read, f"GetObject{version}Attributes"] if "attributes" in query else read
        case "PUT":
            if about:
                return [f"PutObject{version}{about}"]
            written = ["PutObject"]
            if "HTTP_X_AMZ_TAGGING" in environ:
                written.append("PutObjectTagging")
            if "HTTP_X_AMZ_ACL" in environ or any(name.startswith("HTTP_X_AMZ_GRANT_") for name in environ):
                written.append("PutObjectAcl")
            if "HTTP_IF_MATCH" in environ:
                written.append("GetObject")
            return written
        case "POST":
            if "uploads" in query and "HTTP_X_AMZ_TAGGING" in environ:
                return ["PutObject", "PutObjectTagging"]
            return ["PutObject"] if "uploads" in query or "uploadid" in query else None
        case "DELETE":
            if "uploadid" in query:
                return ["AbortMultipartUpload"]
            return [f"DeleteObject{version}{about}"] if about != "Acl" else None
    return None
