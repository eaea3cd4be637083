"""Runs a program with the words of make's variable ARGS behind it, which no shell and no make has read.

    python -m make_arguments PROGRAM [WORD...]

ARGS is split at blanks, and quotes keep a word together, as in a shell; nothing in it is expanded or run. A value with
blanks, as in -e 'path=My Data/quotes.csv', stays whole: Ansible alone would take `My` and drop the rest without a word.
Exit code 2, with a sentence, where a quotation mark has no partner.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from itertools import pairwise

# One name with a value that has a blank, but neither quotes nor another name with a value.
_BLANK_IN_VALUE = re.compile(r"([A-Za-z_]\w*)=([^='\"]*\s[^='\"]*)")


def whole(words: Sequence[str]) -> list[str]:
    """Return the words, a value for Ansible's option -e that has blanks as JSON."""
    found = []
    for option, word in pairwise(["", *words]):
        match = _BLANK_IN_VALUE.fullmatch(word) if option in ("-e", "--extra-vars") else None
        found.append(json.dumps({match[1]: match[2]}) if match else word)
    return found


def main() -> None:
    """Become the program. Raises SystemExit with code 2 where ARGS is no list of words."""
    program, *words = sys.argv[1:]
    try:
        more = shlex.split(os.environ.pop("ARGS", ""))
    except ValueError as error:
        sys.stderr.write(f"ARGS can't be split into words ({error}): give each quotation mark its partner.\n")
        raise SystemExit(2) from None
    os.execvp(program, [program, *words, *whole(more)])


if __name__ == "__main__":
    main()
