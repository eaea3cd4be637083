"""Writes every requirements/*.txt from its *.in, with hashes.

Each file is held to the versions of those before it, but for those that have environments of their own: `clients`,
`web`, `peers` and `quix`.
"""

import subprocess
import sys
from pathlib import Path

ORDER = ("bootstrap", "services", "operator", "local_cloud", "test", "notebook", "clients", "web", "peers", "quix")
ALONE = ("bootstrap", "clients", "web", "peers", "quix")
# One version for every Python from 3.11 on; a package that only some of them need has a marker.
EVERY_PYTHON = ("--universal", "--python-version", "3.11", "--fork-strategy", "fewest")
HERE = Path(__file__).parent
UV = Path(sys.executable).parent / "uv"


def main() -> None:
    """Compiles the files in their order; `--upgrade` as an argument takes newer versions where the *.in allow them."""
    for position, name in enumerate(ORDER):
        earlier = [] if name in ALONE else [one for one in ORDER[:position] if one not in ALONE]
        held = [argument for one in earlier for argument in ("-c", f"{one}.txt")]
        options = ["--quiet", "--generate-hashes", "--custom-compile-command", "make lock", *EVERY_PYTHON]
        command = [str(UV), "pip", "compile", *options, *held, *sys.argv[1:], f"{name}.in", "-o", f"{name}.txt"]
        subprocess.run(command, cwd=HERE, check=True)


if __name__ == "__main__":
    main()
