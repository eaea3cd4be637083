"""Decides what of the operator's shell reaches Ansible, boto3 and ssh: the one place that does, for make and by hand.

`make` installs operator_shell.pth into .venv, through which Python also finds the checkout as the collection
stock_market.streaming. It runs `settle` whenever a Python of .venv starts, before ansible or botocore is
imported. So `ansible-playbook`, `molecule`, `pytest` and `python -m stock_market_ops.query` hold alike,
with make or without. The Makefile only keeps away what would stop its recipes before Python runs.

- AWS_*, BOTO*, ~/.aws: with inventory/local nothing passes, as the local cloud has keys and an endpoint of its own.
  With inventory/aws all passes; keys win over a profile, and names that only some libraries know are given to all.
- ANSIBLE_*, MITOGEN_*: what changes only the display and the log passes. The rest is put aside and named in one line,
  and ansible.cfg is the repository's: they choose other plugins and collections than the pinned ones.
- *_proxy: pass; the deployment's own addresses are added to no_proxy.
- LC_*, LANG, TZ, umask: become C.UTF-8, UTC and 022. Ansible refuses other encodings, programs' answers are read, and
  files get the modes that were tested; secrets have their modes by name.
- PYTHON*: put aside, and the program starts again where Python has read them already. They put other modules before the
  pinned ones.
- HOME, TMPDIR: set where they are missing, no directory or (HOME) not writable, as in CI. A long TMPDIR is put aside:
  mitogen makes sockets there, whose paths Linux bounds at 107 bytes (unix(7)), and would wait for them without end.
- BASH_ENV, ENV, CDPATH, exported functions, CONTAINER_HOST: put aside. They change what shells and podman do.
- JAVA_HOME, CLASSPATH, KAFKA_* and the like: put aside. Maven and Kafka run on Debian's Java, with options of ours.
- Terminal: made blocking, as Ansible asks. A program that ended before may have left it otherwise.
- SSLKEYLOGFILE: put aside. The keys of our connections are written nowhere.
- ~/.ssh/config: inventory/stock_market.yml and `make ssh` give ssh a file of the deployment, or none, with -F.
- PIP_*, UV_*, MAVEN_OPTS, JAVA_TOOL_OPTIONS, certificates: pass. They say where the pinned, hashed packages come from.

Any other program of .venv is left alone, and so is Ansible in another project's folder with another ansible.cfg.
"""

from __future__ import annotations

import os
import pwd
import sys
import sysconfig
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from hashlib import md5
from pathlib import Path
from urllib.parse import urlsplit

from operator_aws import ROOT, SAYING, Environment, forget_aws, has_keys, resolved, settle_aws

# Variables that only change what is shown or logged.
PASSING_ANSIBLE = frozenset(
    f"ANSIBLE_{name}"
    for name in (
        "CALLBACK_FORMAT_PRETTY",
        "CALLBACK_RESULT_FORMAT",
        "CHECK_MODE_MARKERS",
        "DEBUG",
        "DEPRECATION_WARNINGS",
        "DEVEL_WARNING",
        "DIFF_ALWAYS",
        "DIFF_CONTEXT",
        "DISPLAY_FAILED_STDERR",
        "DISPLAY_OK_HOSTS",
        "DISPLAY_SKIPPED_HOSTS",
        "DISPLAY_TRACEBACK",
        "FORCE_COLOR",
        "LOG_PATH",
        "LOG_VERBOSITY",
        "NOCOLOR",
        "NOCOWS",
        "PAGER",
        "SHOW_CUSTOM_STATS",
        "SHOW_PER_HOST_START",
        "SHOW_TASK_PATH_ON_FAILURE",
        "VERBOSITY",
    )
)
# Callbacks of the pinned packages, which programs ask for to read Ansible's answer.
PASSING_CALLBACKS = ("ansible.builtin.", "ansible.posix.")
PASSING_PYTHON = frozenset({"PYTHONUNBUFFERED", "PYTHONFAULTHANDLER", "PYTHONPYCACHEPREFIX", "PYTHONNOUSERSITE"})
# They change what a shell or podman below does, or write down the keys of connections.
NEVER = frozenset(
    {"BASH_ENV", "BASHOPTS", "CDPATH", "CONTAINER_CONNECTION", "CONTAINER_HOST", "ENV", "GLOBIGNORE", "IFS"}
)
NEVER |= {"NOTIFY_SOCKET", "POSIXLY_CORRECT", "SHELLOPTS", "SSLKEYLOGFILE"}
# What Maven's and Kafka's scripts read.
NEVER |= {"CLASSPATH", "EXTRA_ARGS", "JAVA_HOME", "JMX_PORT", "LOG_DIR", "MAVEN_BASEDIR", "MAVEN_CONFIG"}

# What a program of .venv is, by its name or its module's first part.
ANSIBLE, MOLECULE, TESTS, OWN = "ansible", "molecule", "tests", "own"
OWN_MODULES = frozenset({"kafka_distribution", "local_cloud", "stock_market_ops", "supply_chain"})
TEST_MODULES = frozenset({"pytest", "tests.chaos", "tests.soak", "benchmarks.run"})
OPTIONS_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
DEFAULT_DEPLOYMENT = "stock-market"
UTF_8 = "C.UTF-8"
LONGEST_TMPDIR = 107 - len("/mitogen_unix_xxxxxxxx.sock")
# What the bundle uses of the collections in the package ansible; ansible.cfg looks for no others.
COLLECTIONS = ("amazon.aws", "ansible.posix", "community.aws", "community.crypto", "community.general")


@cache
def settle() -> None:
    """Make this process' environment the one that its program may have.

    Python reads a virtual environment's *.pth twice as it starts; the second call does nothing.
    """
    kind, arguments = program(sys.orig_argv)
    if kind == "":
        return
    environment = os.environ
    if kind == ANSIBLE and not is_ours(arguments, environment):
        return
    settle_streams()
    sayings = [settle_ansible(environment)] if kind in (ANSIBLE, MOLECULE, TESTS) else []
    if kind == ANSIBLE:
        sayings += settle_aws(environment, inventories(arguments))
    elif kind == MOLECULE or (kind == TESTS and "MOLECULE_FILE" not in environment):
        # A scenario says itself what its cloud is, and so does a test.
        forget_aws(environment)
    again = settle_python(environment)
    again |= sys.getfilesystemencoding() != "utf-8" and environment.get("LC_ALL") != UTF_8
    settle_locale(environment)
    settle_shell(environment)
    settle_proxies(environment)
    for saying in filter(None, sayings):
        sys.stderr.write(f"{saying}\n")
    sys.stderr.flush()
    if again:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def program(command: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return what kind of program Python was started for ("" for any other), and the program's own arguments."""
    position = 1
    while position < len(command):
        word = command[position]
        if word in OPTIONS_WITH_VALUE:
            position += 2
        elif word == "-m" and position + 1 < len(command):
            return _kind(command[position + 1]), command[position + 2 :]
        elif word == "-c" or not word.startswith("-"):
            break
        else:
            position += 1
    if position >= len(command) or command[position] == "-c":
        return "", ()
    path = command[position]
    return _kind(path.rpartition("/")[2].removesuffix(".py"), is_script=True), command[position + 1 :]


def _kind(name: str, *, is_script: bool = False) -> str:
    if name == "ansible" or name.startswith("ansible-"):
        return ANSIBLE
    if name == "molecule":
        return MOLECULE
    if name in TEST_MODULES if not is_script else name in ("pytest", "py.test"):
        return TESTS
    return OWN if name.partition(".")[0] in OWN_MODULES and not is_script else ""


def is_ours(arguments: Sequence[str], environment: Environment) -> bool:
    """Whether Ansible runs for this repository: from its folder, with its ansible.cfg, or on one of its playbooks."""
    config = environment.get("ANSIBLE_CONFIG", "")
    if config and Path(config).resolve() in (ROOT, ROOT / "ansible.cfg"):
        return True
    places = [Path.cwd(), *(Path(word).resolve() for word in arguments if word.endswith((".yml", ".yaml")))]
    return any(place.is_relative_to(ROOT) for place in places)


def inventories(arguments: Sequence[str]) -> list[str]:
    """Return the values of ansible's options -i, --inventory and --inventory-file."""
    found: list[str] = []
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        # Ansible takes any beginning of an option's name that is clear.
        if name.startswith("--inv") and "--inventory-file".startswith(name):
            found.append(value if equals else next(words, ""))
        elif word == "-i":
            found.append(next(words, ""))
        elif word.startswith("-i"):
            found.append(word[2:].removeprefix("="))
    return found


def settle_streams() -> None:
    """Make the standard streams blocking: ssh and Node.js may leave them otherwise, and Ansible refuses that."""
    for number in (0, 1, 2):
        with suppress(OSError):
            os.set_blocking(number, True)


def settle_ansible(environment: Environment) -> str:
    """Put aside the ANSIBLE_* that change what runs, name the repository's ansible.cfg; return what to say of it."""
    config = str(ROOT / "ansible.cfg")
    aside = sorted(
        name
        for name, value in environment.items()
        if name.startswith(("ANSIBLE_", "MITOGEN_"))
        and name not in PASSING_ANSIBLE
        and not (name == "ANSIBLE_CONFIG" and value == config)
        and not (name == "ANSIBLE_STDOUT_CALLBACK" and value.startswith(PASSING_CALLBACKS))
    )
    for name in aside:
        del environment[name]
    environment["ANSIBLE_CONFIG"] = config
    if not aside or "MOLECULE_FILE" in environment:
        return ""
    return f"{SAYING}{', '.join(aside)} would change what runs, and is not used: see ansible.cfg."


def settle_deployment(environment: Environment, endpoint: str, credentials: Path) -> None:
    """Keep of the AWS settings what a program may see that asks a deployment by its own profile.

    `endpoint` is the deployment's, or "" on AWS; `credentials` is its file, which holds keys on the local cloud only.
    On AWS the profile asks for the operator's own credentials.
    """
    if endpoint:
        # A variable would win over the profile's endpoint.
        for name in [name for name in environment if name.startswith("AWS_ENDPOINT_URL")]:
            del environment[name]
        settle_proxies(environment, urlsplit(endpoint).hostname or "")
    if has_keys(credentials):
        forget_aws(environment)


def settle_python(environment: Environment) -> bool:
    """Put aside what Python reads of the environment; return whether this process has read some of it already."""
    if environment.pop("PYTHONDONTWRITEBYTECODE", None) is not None:
        # The bytecode is kept even where the shell forbids it: without, each command starts seconds later.
        sys.dont_write_bytecode = False
    path = environment.get("PYTHONPATH")
    if path is not None:
        kept = os.pathsep.join(
            entry for entry in path.split(os.pathsep) if entry and resolved(entry).is_relative_to(ROOT)
        )
        if kept == path:
            path = None
        elif kept:
            environment["PYTHONPATH"] = kept
        else:
            del environment["PYTHONPATH"]
    read = [
        name
        for name in environment
        if name.startswith("PYTHON") and name not in PASSING_PYTHON and name != "PYTHONPATH"
    ]
    for name in read:
        del environment[name]
    return bool(read) or path is not None


def settle_locale(environment: Environment) -> None:
    """Speak English in UTF-8 and tell the time in UTC, as what reads other programs' answers expects."""
    for name in [name for name in environment if name.startswith("LC_") or name in ("LANG", "LANGUAGE")]:
        del environment[name]
    environment["LC_ALL"] = environment["LANG"] = UTF_8
    environment["TZ"] = "UTC"
    time.tzset()


def settle_shell(environment: Environment) -> None:
    """Keep away what changes shells, podman and Java; give a home, a place for temporary files and a umask."""
    for name in [name for name in environment if name in NEVER or name.startswith(("BASH_FUNC_", "KAFKA_"))]:
        del environment[name]
    try:
        account = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        # A container may run under a number that has no account; Ansible asks for its name.
        account = ""
        environment.setdefault("LOGNAME", environment.get("USER") or f"uid-{os.getuid()}")
    environment["HOME"] = home(environment.get("HOME", ""), account)
    place = environment.get("TMPDIR", "")
    if place and (len(os.fsencode(Path.cwd() / place)) > LONGEST_TMPDIR or not resolved(place).is_dir()):
        del environment["TMPDIR"]
    # Secrets are given their modes by name; all else gets the mode with which it was tested.
    os.umask(0o022)


def home(*given: str) -> str:
    """Return the first home that can be written, or one in .venv where none of them can, as in CI."""
    for each in given:
        if Path(each).is_absolute() and Path(each).is_dir() and os.access(each, os.W_OK | os.X_OK):
            return each
    own = Path(sys.prefix) / "home"
    with suppress(OSError):
        own.mkdir(mode=0o700, exist_ok=True)
    return str(own)


def settle_proxies(environment: Environment, *hosts: str) -> None:
    """Let the deployment's own addresses, and more `hosts`, go past the proxies of the environment."""
    proxies = [name for name in environment if name.lower().endswith("_proxy") and name.lower() != "no_proxy"]
    if not proxies:
        return
    listed = [entry.strip() for name in ("no_proxy", "NO_PROXY") for entry in environment.get(name, "").split(",")]
    wanted = ["localhost", "127.0.0.1", *addresses(environment), *hosts]
    if host := loopback(environment.get("AWS_ENDPOINT_URL", "")):
        wanted.append(host)
    environment["no_proxy"] = environment["NO_PROXY"] = ",".join(dict.fromkeys(filter(None, [*listed, *wanted])))


def addresses(environment: Environment) -> list[str]:
    """Return where the local cloud of the environment's deployment answers, as inventory/local derives it."""
    name = environment.get("STOCK_MARKET_DEPLOYMENT") or DEFAULT_DEPLOYMENT
    block = int(md5(name.encode(), usedforsecurity=False).hexdigest()[:2], 16) % 250 + 2
    return [f"127.77.{block}.1", f"198.18.{block}.1"]


def loopback(endpoint: str) -> str:
    """Return the host of an endpoint on this machine, or "" of any other."""
    host = urlsplit(endpoint).hostname or ""
    return host if host == "localhost" or host.startswith("127.") else ""


def install() -> None:
    """Write operator_shell.pth into this Python's site-packages, and link the collections in .venv/collections."""
    packages, collections = Path(sysconfig.get_path("purelib")), Path(sys.prefix) / "collections"
    # Python reads it in the encoding of the shell's locale, which may be ASCII where the path is not.
    folder = os.fsencode(Path(__file__).resolve().parent)
    text = f"import os, sys; sys.path.append(os.fsdecode({folder!r})); import operator_shell; operator_shell.settle()\n"
    found = os.path.relpath(collections, packages)
    (packages / "operator_shell.pth").write_text(f"{text}{found}\n", encoding="ascii")
    targets = {name: packages.joinpath("ansible_collections", *name.split(".")) for name in COLLECTIONS}
    for name, target in {**targets, "stock_market.streaming": ROOT}.items():
        link = collections.joinpath("ansible_collections", *name.split("."))
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)


if __name__ == "__main__":
    install()
