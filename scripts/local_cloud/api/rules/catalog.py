"""What is known of the requests of Glue, Athena and the tagging API beyond their models."""

from __future__ import annotations

from typing import Final

from local_cloud.api.rules.rule import DOCS, Rule, is_own, tag_rules

_GLUE_TAGS: Final = f"{DOCS}glue/latest/dg/monitor-tags.html"
_TAGGING: Final = f"{DOCS}tag-editor/latest/userguide/tagging.html#tag-conventions"

RULES: Final = (
    *tag_rules("glue", "[Tags || `{}`, TagsToAdd || `{}`][].keys(@)[]", "InvalidInputException", _GLUE_TAGS),
    Rule(
        "glue tags: no value begins with aws:",
        (),
        "[Tags || `{}`, TagsToAdd || `{}`][].values(@)[]",
        is_own,
        "Tag '{value}' is not valid: the prefix aws: is reserved.",
        _GLUE_TAGS,
        service="glue",
        code="InvalidInputException",
    ),
    *tag_rules(
        "athena", "Tags[].Key", "InvalidRequestException", f"{DOCS}athena/latest/APIReference/API_Tag.html", plain=True
    ),
    *tag_rules("tagging", "keys(Tags || `{}`)", "InvalidParameterException", _TAGGING),
)
