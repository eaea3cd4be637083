"""What S3's pages say of its requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Final
from urllib.parse import parse_qsl

from local_cloud.api.rules.rule import DOCS, Rule, Values, at_most, is_once, is_own, matches, tag_rules, tag_sizes

_S3: Final = f"{DOCS}AmazonS3/latest/"
_BUCKET: Final = re.compile(
    r"(?!xn--|sthree-|amzn-s3-demo-)(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
    r"(?<!-s3alias)(?<!--ol-s3)(?<!\.mrap)(?<!--x-s3)(?<!--table-s3)"
)


def _metadata_fits(value: Mapping[str, str], _: Values) -> bool:
    return sum(len(name.encode()) + len(text.encode()) for name, text in value.items()) <= 2048


def _header_tags_fit(value: str, _: Values) -> bool:
    tags = parse_qsl(value, keep_blank_values=True)
    sizes = all(0 < len(key) <= 128 and len(text) <= 256 for key, text in tags)
    return len(tags) <= 10 and len(dict(tags)) == len(tags) and sizes and all(is_own(key, {}) for key, _ in tags)


_BUCKET_TAGS: Final = f"{_S3}userguide/CostAllocTagging.html"
_OBJECT_TAGS: Final = f"{_S3}userguide/object-tagging.html"
_LIFECYCLE: Final = f"{_S3}userguide/intro-lifecycle-rules.html"
_WRITES: Final = ("PutObject", "CopyObject", "CreateMultipartUpload")
_MALFORMED: Final = "The XML you provided was not well-formed or did not validate against our published schema"
_rule: Final = partial(Rule, service="s3")
_lifecycle: Final = partial(_rule, operations=("PutBucketLifecycleConfiguration",), source=_LIFECYCLE)
RULES: Final = (
    _rule(
        "s3 bucket name",
        ("CreateBucket",),
        "Bucket",
        matches(_BUCKET),
        "The specified bucket is not valid.",
        f"{_S3}userguide/bucketnamingrules.html",
        code="InvalidBucketName",
    ),
    _rule(
        "s3 key",
        (),
        "Key",
        lambda value, _: len(value.encode()) <= 1024,
        "Your key is too long",
        f"{_S3}userguide/object-keys.html",
        code="KeyTooLongError",
    ),
    _rule(
        "s3 metadata",
        _WRITES,
        "Metadata",
        _metadata_fits,
        "Your metadata headers exceed the maximum allowed metadata size",
        f"{_S3}userguide/UsingMetadata.html",
        code="MetadataTooLarge",
    ),
    _rule(
        "s3 tags in a header",
        _WRITES,
        "Tagging",
        _header_tags_fit,
        "The tags in x-amz-tagging are not valid: at most 10, keys of 128 characters once each, values of 256.",
        _OBJECT_TAGS,
        code="InvalidTag",
    ),
    _rule(
        "s3 deletes 1000 objects at a time",
        ("DeleteObjects",),
        "[Delete.Objects]",
        at_most(1000),
        _MALFORMED,
        f"{_S3}API/API_DeleteObjects.html",
        code="MalformedXML",
    ),
    *tag_rules("s3", "Tagging.TagSet[].Key", "InvalidTag", _BUCKET_TAGS, operations=("PutBucketTagging",), plain=True),
    *tag_sizes("s3", "[Tagging.TagSet]", "InvalidTag", _BUCKET_TAGS, operations=("PutBucketTagging",)),
    *tag_rules("s3", "Tagging.TagSet[].Key", "InvalidTag", _OBJECT_TAGS, operations=("PutObjectTagging",), plain=True),
    *tag_sizes("s3", "[Tagging.TagSet]", "InvalidTag", _OBJECT_TAGS, operations=("PutObjectTagging",), most=10),
    _lifecycle(
        "s3 lifecycle rules",
        look="[LifecycleConfiguration.Rules]",
        holds=at_most(1000),
        message=_MALFORMED,
        code="MalformedXML",
    ),
    _lifecycle(
        "s3 lifecycle rule id",
        look="LifecycleConfiguration.Rules[].ID",
        holds=at_most(255),
        message="ID length should not exceed allowed limit of 255",
        code="InvalidArgument",
    ),
    _lifecycle(
        "s3 lifecycle rule ids are different",
        look="LifecycleConfiguration.Rules[].ID | [@]",
        holds=is_once,
        message="Rule ID must be unique. Found same ID for more than one rule",
        code="InvalidArgument",
    ),
    _lifecycle(
        "s3 lifecycle days",
        look="LifecycleConfiguration.Rules[].Expiration.Days",
        holds=lambda value, _: value >= 1,
        message="'Days' for Expiration action must be a positive integer",
        code="InvalidArgument",
    ),
)
