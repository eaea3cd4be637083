"""The local cloud's own errors, each with a sentence that a person can act on."""

from __future__ import annotations


class LocalCloudError(Exception):
    """Something that stops the local cloud; the message is one sentence for the person who started it."""
