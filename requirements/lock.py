"""Writes every requirements/*.txt from its *.in, with hashes; each file is held to the versions of those before it."""

import subprocess
import sys
from pathlib import Path

ORDER = ("bootstrap", "services", "operator", "local_cloud", "test")
HERE = Path(__file__).parent
UV = Path(sys.executable).parent / "uv"


def main() -> None:
    """Compiles the files in their order; `--upgrade` as an argument takes newer versions where the *.in allow them."""
    for position, name in enumerate(ORDER):
        held = [argument for earlier in ORDER[1:position] for argument in ("-c", f"{earlier}.txt")]
        options = ["--quiet", "--generate-hashes", "--python-version", "3.11", "--custom-compile-command", "make lock"]
        command = [str(UV), "pip", "compile", *options, *held, *sys.argv[1:], f"{name}.in", "-o", f"{name}.txt"]
        subprocess.run(command, cwd=HERE, check=True)


if __name__ == "__main__":
    main()
