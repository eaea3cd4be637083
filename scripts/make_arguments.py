"""Runs a program with the words of make's variable ARGS behind it, which no shell and no make has read.

    python -m make_arguments PROGRAM [WORD...]

ARGS is split at blanks, and quotes keep a word together, as in a shell; nothing in it is expanded or run.
Exit code 2, with a sentence, where a quotation mark has no partner.
"""

from __future__ import annotations

import os
import shlex
import sys


def main() -> None:
    """Become the program. Raises SystemExit with code 2 where ARGS is no list of words."""
    program, *words = sys.argv[1:]
    try:
        more = shlex.split(os.environ.pop("ARGS", ""))
    except ValueError as error:
        sys.stderr.write(f"ARGS can't be split into words ({error}): give each quotation mark its partner.\n")
        raise SystemExit(2) from None
    os.execvp(program, [program, *words, *more])


if __name__ == "__main__":
    main()
