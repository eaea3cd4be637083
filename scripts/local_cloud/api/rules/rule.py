"""A rule of AWS's that is on its pages and not in its model, and what several services' rules have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import jmespath

Values = dict[str, Any]
DOCS: Final = "https://docs.aws.amazon.com/"
# Letters, digits, spaces and + - = . _ : / @: the characters that all services with tags take.
_TAG_TEXT: Final = re.compile(r"[\w\s+\-=.:/@]*")

# What services say of a tag whose key is AWS's own, where it is not what most say; EC2's words are as AWS gives them.
_RESERVED: Final = {
    "ec2": "Tag keys starting with 'aws:' are reserved for internal use",
    "s3": "Tag key '{value}' is not valid: keys that begin with aws: are reserved for system use.",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of AWS's.

    Attributes:
        name: what it asks, as the table of tests names it.
        operations: the operations that it is about; none stands for all of the service's.
        look: where the values stand in the input, as JMESPath; those of a list are looked at one by one.
        holds: whether a value, in this input, is taken.
        message: the error's text; `{value}` stands for the value.
        source: the page that states it.
        service: the service in the signature.
        code: the error's code.
        status: HTTP's.
    """

    name: str
    operations: tuple[str, ...]
    look: str
    holds: Callable[[Any, Values], bool]
    message: str
    source: str
    service: str
    code: str
    status: str = "400 Bad Request"

    def wrong(self, values: Values) -> Any:
        """The first value that the rule excludes, None if it takes them all."""
        found = jmespath.search(self.look, values)
        texts = found if isinstance(found, list) else [found]
        return next((text for text in texts if text is not None and not self.holds(text, values)), None)


def matches(pattern: re.Pattern[str]) -> Callable[[Any, Values], bool]:
    return lambda value, _: pattern.fullmatch(value) is not None


def at_most(limit: int) -> Callable[[Any, Values], bool]:
    return lambda value, _: len(value) <= limit


def is_own(value: str, _: Values) -> bool:
    return not value.lower().startswith("aws:")


def is_once(value: list[str], _: Values) -> bool:
    return len(set(value)) == len(value)


def tag_rules(
    service: str, look: str, code: str, source: str, *, operations: tuple[str, ...] = (), plain: bool = False
) -> Iterable[Rule]:
    """The rules that a service has for tags. `look` finds the keys; `plain`: only the common characters are taken."""
    where = f"{service} {' '.join(operations) or 'tags'}"
    message = _RESERVED.get(service, "aws: prefixed tag key names are not allowed for external use.")
    yield Rule(f"{where}: no key begins with aws:", operations, look, is_own, message, source, service, code)
    if plain:
        values = look.replace(".Key", ".[Key, Value][]")
        message = "Tag text '{value}' is not valid: it takes letters, digits, spaces and + - = . _ : / @."
        holds = matches(_TAG_TEXT)
        yield Rule(f"{where}: plain characters", operations, values, holds, message, source, service, code)


def tag_sizes(
    service: str, look: str, code: str, source: str, *, operations: tuple[str, ...] = (), most: int = 50
) -> Iterable[Rule]:
    """Limits of tags where the model has none: how many, and how long keys and values are. `look` finds the lists."""
    where = f"{service} {' '.join(operations) or 'tags'}"
    many = "TagLimitExceeded" if service == "ec2" else code
    for name, found, holds, wrong, message in (
        (f"at most {most} tags", look, at_most(most), many, f"There are more than {most} tags."),
        ("no key twice", f"{look} | [*][*].Key", is_once, code, "A tag key is there twice: {value}"),
        ("keys of 128 characters", f"{look}[].Key", at_most(128), code, "Tag key exceeds the maximum length of 128."),
        ("values of 256", f"{look}[].Value", at_most(256), code, "Tag value exceeds the maximum length of 256."),
    ):
        yield Rule(f"{where}: {name}", operations, found, holds, message, source, service, wrong)
