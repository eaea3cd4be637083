"""What can end a service, each with one sentence and an exit code of its own."""

from __future__ import annotations

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_SETTINGS = 2
EXIT_CONFLICT = 3


class ServiceError(Exception):
    """Ends the program: the message is one sentence for a person, `exit_code` is for systemd."""

    exit_code = EXIT_FAILED


class SettingsError(ServiceError):
    """A setting, or a file that a setting names, is wrong; a restart would not help."""

    exit_code = EXIT_SETTINGS


class ConflictError(ServiceError):
    """Kafka and S3 contradict each other; going on would lose or double records, so a person has to decide."""

    exit_code = EXIT_CONFLICT
