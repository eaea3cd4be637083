"""What is known of the requests of Glue and Athena beyond their models."""

from __future__ import annotations

from typing import Final

from local_cloud.api.rules.rule import DOCS, Rule, Values, is_own, tag_rules

_CRAWLERS: Final = ("CreateCrawler", "UpdateCrawler")
_NEW_ONLY: Final = "CRAWL_NEW_FOLDERS_ONLY"
_DEPRECATE: Final = "DEPRECATE_IN_DATABASE"


def _only_logs(policy: Values) -> bool:
    return all(policy.get(name) == "LOG" for name in ("UpdateBehavior", "DeleteBehavior"))


RULES: Final = (
    Rule(
        "glue tags: neither key nor value begins with aws:",
        "glue",
        (),
        "[Tags || `{}`, TagsToAdd || `{}`][].[keys(@), values(@)][][]",
        is_own,
        "InvalidInputException",
        "Tag '{value}' is not valid: the prefix aws: is reserved.",
        f"{DOCS}glue/latest/dg/monitor-tags.html",
    ),
    Rule(
        "glue crawls new folders in S3 only",
        "glue",
        _CRAWLERS,
        "RecrawlPolicy.RecrawlBehavior",
        lambda value, values: value != _NEW_ONLY or set(values.get("Targets", {})) <= {"S3Targets"},
        "InvalidInputException",
        'RecrawlBehavior "Crawl new folders only" can only apply to Amazon S3 target.',
        "https://github.com/hashicorp/terraform-provider-aws/issues/22868",
    ),
    Rule(
        "glue crawls new folders and changes nothing else",
        "glue",
        ("CreateCrawler",),
        "RecrawlPolicy.RecrawlBehavior",
        lambda value, values: value != _NEW_ONLY or _only_logs(values.get("SchemaChangePolicy", {})),
        "InvalidInputException",
        'The SchemaChangePolicy for "Crawl new folders only" Amazon S3 target can have only LOG DeleteBehavior value '
        "and LOG UpdateBehavior value.",
        "https://github.com/LBHackney-IT/Data-Platform/pull/2418",
    ),
    Rule(
        "glue deprecates no table that is a crawler's target",
        "glue",
        ("CreateCrawler",),
        "Targets.CatalogTargets[].DatabaseName",
        lambda _, values: values.get("SchemaChangePolicy", {}).get("DeleteBehavior", _DEPRECATE) != _DEPRECATE,
        "InvalidInputException",
        "The DeleteBehavior of a crawler with catalog targets can't be DEPRECATE_IN_DATABASE, which is the default.",
        "https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/glue_crawler",
    ),
    *tag_rules(
        "athena", "Tags[].Key", "InvalidRequestException", f"{DOCS}athena/latest/APIReference/API_Tag.html", plain=True
    ),
)
