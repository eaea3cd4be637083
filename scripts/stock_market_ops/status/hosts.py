"""Questions to the instances over SSH: the one way that answers while a broker is down, and to what is on loopback."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeAlias

from stock_market_ops.common.deployment import Deployment, Instance

Answer: TypeAlias = subprocess.CompletedProcess[str] | str
"""What came of a command, or the reason why nothing did."""
Ask: TypeAlias = Callable[[Deployment, Instance, str], Answer]

# A tunnel of Session Manager takes some seconds to open: the start of aws, a call to AWS, the agent's answer.
_SSH_SECONDS = {"ssh": 6.0, "ssm": 25.0}
_MAX_AT_ONCE = 16
_END = "--- end of the answer"


def run(deployment: Deployment, instance: Instance, command: str) -> Answer:
    """Run a command on an instance over SSH."""
    seconds = _SSH_SECONDS[instance.access]
    options = ["-F", deployment.ssh_config, "-o", "BatchMode=yes", "-o", f"ConnectTimeout={seconds - 2:.0f}"]
    try:
        return subprocess.run(
            ["ssh", *options, instance.name, command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return f"no answer over SSH in {seconds:.0f} s"
    except OSError as error:
        return f"ssh cannot be run: {error}"


class Together:
    """Puts all questions to an instance in one connection: logging in costs host and operator more than the answers.

    Args:
        questions: instances and commands; an instance may be there several times.
    """

    def __init__(self, deployment: Deployment, questions: Iterable[tuple[Instance, str]]) -> None:
        commands: dict[str, list[str]] = {}
        instances: dict[str, Instance] = {}
        for instance, command in questions:
            instances[instance.name] = instance
            commands.setdefault(instance.name, []).append(command)
        self._answers: dict[str, Future[dict[str, Answer]]] = {name: Future() for name in commands}
        at_once = threading.Semaphore(_MAX_AT_ONCE)

        def work(name: str) -> None:
            try:
                with at_once:
                    self._answers[name].set_result(_ask(deployment, instances[name], commands[name]))
            except Exception as error:  # whoever asks gets it
                self._answers[name].set_exception(error)

        # No pool, whose threads a program that ends would wait for.
        for name in commands:
            threading.Thread(target=work, args=(name,), name=f"ssh {name}", daemon=True).start()

    def __call__(self, deployment: Deployment, instance: Instance, command: str) -> Answer:
        """Return the answer to one of the questions; any other is asked by itself."""
        answers = self._answers.get(instance.name)
        found = None if answers is None else answers.result().get(command)
        return run(deployment, instance, command) if found is None else found


def _ask(deployment: Deployment, instance: Instance, commands: list[str]) -> dict[str, Answer]:
    parts = [f"( {command} ); printf '\\n{_END} %d\\n' $?; printf '\\n{_END}\\n' >&2" for command in commands]
    done = run(deployment, instance, "\n".join(parts))
    if isinstance(done, str):
        return dict.fromkeys(commands, done)
    said, complained = done.stdout.split(f"\n{_END} "), done.stderr.split(f"\n{_END}\n")
    if len(said) <= len(commands):
        return dict.fromkeys(commands, done)  # the connection ended before the last answer
    answers: dict[str, Answer] = {}
    for number, command in enumerate(commands):
        code, _, following = said[number + 1].partition("\n")
        said[number + 1] = following
        answers[command] = subprocess.CompletedProcess(command, int(code), said[number], complained[number])
    return answers
