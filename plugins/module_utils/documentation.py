"""The options of a module as its documentation declares them, so that each is written once."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.yaml import yaml_load


def argument_spec(documentation: str) -> dict[str, dict[str, Any]]:
    """Return a module's options as AnsibleModule takes them; only on the operator's machine, which has PyYAML.

    What is called a password is neither printed nor returned.
    """
    return _spec(yaml_load(documentation).get("options", {}))


def _spec(options: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {}
    for name, option in options.items():
        found[name] = {key: value for key, value in option.items() if key not in ("description", "suboptions")}
        if "password" in name:
            found[name]["no_log"] = True
        if "suboptions" in option:
            found[name]["options"] = _spec(option["suboptions"])
    return found
