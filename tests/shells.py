"""Shells in which people have typed the commands: what each exports, and the files that it points at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What every shell below starts from: where programs are, and where the packages' mirrors want to be asked from.
PLAIN = ("PATH", "HOME", "TERM")
MIRRORS = ("PIP_", "UV_", "SSL_CERT", "XDG_", "CONTAINERS_")


@dataclass(frozen=True)
class Shell:
    """A shell: its variables, in which {home} is a folder of its own, the files in that, and what it has not."""

    name: str
    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    # Typed before the command, in bash.
    before: str = ""
    # Whether the account's home, where ssh looks whatever HOME says, is {home} too; needs root.
    moves_account: bool = False

    def environment(self, home: Path) -> dict[str, str]:
        """Return the shell's environment, its files written below `home`."""
        for name, text in self.files.items():
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("{home}", str(home)), encoding="utf-8")
        plain = {name: value for name, value in os.environ.items() if name in PLAIN or name.startswith(MIRRORS)}
        own = {name: value.replace("{home}", str(home)) for name, value in self.variables.items()}
        return {name: value for name, value in (plain | own).items() if name not in self.without}

    def command(self, words: str, home: Path) -> list[str]:
        """Return what runs a line of shell in it."""
        line = f"{self.before}\n{words}".replace("{home}", str(home))
        shell = ["bash", "-euo", "pipefail", "-c", line]
        if not self.moves_account:
            return shell
        account = f"root:x:0:0:root:{home}:/bin/bash\n"
        accounts = home / "passwd"
        rest = Path("/etc/passwd").read_text(encoding="utf-8").splitlines(keepends=True)[1:]
        accounts.write_text(account + "".join(rest), encoding="utf-8")
        move = 'mount --bind "$0" /etc/passwd && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", move, str(accounts), *shell]


BROKEN = "raise SystemExit('a module that is not the pinned one was loaded')\n"
SHOP = "[default]\nendpoint_url = http://127.0.0.1:9\nca_bundle = /nowhere.pem\n[profile shop]\nregion = eu-west-9\n"
OLD_COLLECTION = {
    ".ansible/collections/ansible_collections/amazon/aws/MANIFEST.json": (
        '{"collection_info": {"namespace": "amazon", "name": "aws", "version": "1.0.0"}}'
    ),
    ".ansible/collections/ansible_collections/amazon/aws/plugins/inventory/aws_ec2.py": "import boto\n",
    ".ansible/collections/ansible_collections/amazon/aws/plugins/module_utils/modules.py": "import boto\n",
}

SHELLS = [
    Shell("plain"),
    Shell("AWS_PROFILE", {"AWS_PROFILE": "shop"}),
    Shell("AWS_DEFAULT_PROFILE", {"AWS_DEFAULT_PROFILE": "shop"}),
    Shell(
        "keys of an account",
        {"AWS_ACCESS_KEY_ID": "AKIA0", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t", "AWS_PROFILE": "shop"},
    ),
    Shell("LocalStack", {"AWS_ENDPOINT_URL": "http://localhost:9", "AWS_ENDPOINT_URL_S3": "http://localhost:9"}),
    Shell(
        "files of an account",
        {"AWS_CONFIG_FILE": "{home}/config", "AWS_PROFILE": "shop", "AWS_USE_FIPS_ENDPOINT": "true"},
        {"config": SHOP},
    ),
    Shell("~/.aws", {"HOME": "{home}"}, {".aws/config": SHOP}),
    Shell(
        "other AWS settings", {"AWS_CA_BUNDLE": "/nowhere.pem", "AWS_MAX_ATTEMPTS": "0", "AWS_URL": "http://[::1]:9"}
    ),
    Shell("LC_ALL=C", {"LC_ALL": "C"}),
    Shell("a locale that is not there", {"LANG": "de_DE.UTF-8"}),
    Shell("Latin-1", {"LC_ALL": "de_DE.ISO-8859-1", "PYTHONUTF8": "0"}),
    Shell(
        "proxies",
        dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
        | {"no_proxy": "localhost"},
    ),
    Shell("an older collection", {"HOME": "{home}"}, OLD_COLLECTION),
    Shell(
        "plugins in ~/.ansible",
        {"HOME": "{home}"},
        {
            f".ansible/plugins/{kind}/{name}.py": BROKEN
            for kind, name in (("lookup", "env"), ("vars", "own"), ("test", "own"))
        },
    ),
    Shell("~/.ansible.cfg", {"HOME": "{home}"}, {".ansible.cfg": "[defaults]\nstrategy = free\nlibrary = /nowhere\n"}),
    Shell(
        "ANSIBLE_CONFIG",
        {"ANSIBLE_CONFIG": "{home}/own.cfg"},
        {"own.cfg": "[defaults]\nvault_password_file = missing\n"},
    ),
    Shell("ANSIBLE_LIBRARY", {"ANSIBLE_LIBRARY": "{home}/library"}, {"library/kafka_topic.py": BROKEN}),
    Shell("ANSIBLE_VAULT_PASSWORD_FILE", {"ANSIBLE_VAULT_PASSWORD_FILE": "missing"}),
    Shell("ANSIBLE_STRATEGY", {"ANSIBLE_STRATEGY": "free"}),
    Shell(
        "ANSIBLE_STRATEGY_PLUGINS",
        {"ANSIBLE_STRATEGY_PLUGINS": "{home}/strategy"},
        {"strategy/mitogen_linear.py": BROKEN},
    ),
    Shell(
        "other ANSIBLE_*",
        {
            "ANSIBLE_INVENTORY": "/nowhere",
            "ANSIBLE_ROLES_PATH": "/nowhere",
            "ANSIBLE_COLLECTIONS_PATH": "/nowhere",
            "ANSIBLE_STDOUT_CALLBACK": "missing",
            "ANSIBLE_SSH_ARGS": "-o ProxyCommand=false",
            "ANSIBLE_REMOTE_USER": "nobody",
            "ANSIBLE_TRANSPORT": "winrm",
        },
    ),
    Shell("ANSIBLE_* that show", {"ANSIBLE_FORCE_COLOR": "1", "ANSIBLE_VERBOSITY": "1", "COLUMNS": "20"}),
    Shell(
        "~/.ssh/config",
        {"HOME": "{home}", "SSH_AUTH_SOCK": "/nowhere"},
        {".ssh/config": "Host *\n ProxyJump no.invalid\n RemoteCommand false\n IdentityAgent /no\n User nobody\n"},
        moves_account=True,
    ),
    Shell("umask 077", before="umask 077"),
    Shell("TZ", {"TZ": "Asia/Kolkata"}),
    Shell("no HOME", without=("HOME",)),
    Shell("HOME that is a file", {"HOME": "/etc/passwd"}),
    Shell("TMPDIR that is gone", {"TMPDIR": "/nowhere"}),
    Shell("a long TMPDIR", {"TMPDIR": "{home}/" + "long" * 25}, {"long" * 25 + "/file": ""}),
    Shell(
        "PYTHON*",
        {
            "PYTHONPATH": "{home}/lib",
            "PYTHONWARNINGS": "error",
            "PYTHONOPTIMIZE": "2",
            "PYTHONSTARTUP": "{home}/lib/yaml.py",
        },
        {"lib/ansible/__init__.py": BROKEN, "lib/boto3.py": BROKEN, "lib/yaml.py": BROKEN},
    ),
    Shell(
        "start-up files", {"ENV": "{home}/rc", "CDPATH": "/usr"}, {"rc": "exit 7\n"}, before="export BASH_ENV={home}/rc"
    ),
    Shell(
        "a terminal left non-blocking",
        before="exec </dev/null; /usr/bin/python3 -c 'import os; os.set_blocking(0, False)'",
    ),
    Shell("exported functions", before="ssh() { exit 9; }; python() { exit 9; }; export -f ssh python"),
    Shell(
        "make's own",
        {"MAKEFLAGS": "-j8", "HOST": "laptop", "FORMAT": "xml", "SQL": "select", "ARGS": "-e x", "WHAT": "y"},
    ),
    Shell("SSLKEYLOGFILE", {"SSLKEYLOGFILE": "/nowhere/keys"}),
    Shell("podman elsewhere", {"CONTAINER_HOST": "ssh://nowhere.invalid/x"}),
    Shell(
        "Java and Kafka",
        {
            "JAVA_HOME": "/opt/jdk8",
            "CLASSPATH": "/opt/lib/*",
            "KAFKA_HOME": "/opt/kafka",
            "KAFKA_HEAP_OPTS": "-Xmx1t",
            "KAFKA_OPTS": "-javaagent:/nowhere.jar",
            "JMX_PORT": "9999",
            "MAVEN_BASEDIR": "/nowhere",
        },
    ),
]


def together(*names: str) -> Shell:
    """Return one shell that exports what several do; a later one wins."""
    chosen = [next(shell for shell in SHELLS if shell.name == name) for name in names]
    return Shell(
        " + ".join(names),
        {name: value for shell in chosen for name, value in shell.variables.items()},
        {name: text for shell in chosen for name, text in shell.files.items()},
        tuple(name for shell in chosen for name in shell.without),
        "\n".join(shell.before for shell in chosen),
        any(shell.moves_account for shell in chosen),
    )


# The same, all but the plain one, in a few: what a test can afford that runs each time.
GATHERED = [
    together(
        *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "keys of an account", "files of an account", "other AWS settings"),
        *("TZ", "HOME that is a file", "a terminal left non-blocking"),
    ),
    together("LocalStack", "proxies", "umask 077", "a locale that is not there", "a long TMPDIR"),
    together("~/.aws", "an older collection", "plugins in ~/.ansible", "~/.ansible.cfg", "~/.ssh/config", "LC_ALL=C"),
    together(
        *(
            "ANSIBLE_CONFIG",
            "ANSIBLE_LIBRARY",
            "ANSIBLE_VAULT_PASSWORD_FILE",
            "ANSIBLE_STRATEGY",
            "ANSIBLE_STRATEGY_PLUGINS",
        ),
        *("other ANSIBLE_*", "make's own"),
    ),
    together("PYTHON*", "Latin-1", "TMPDIR that is gone", "podman elsewhere", "SSLKEYLOGFILE", "Java and Kafka"),
    together("start-up files", "exported functions", "no HOME", "ANSIBLE_* that show"),
]
