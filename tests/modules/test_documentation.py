"""Promises of module_utils/documentation.py: what a module documents is what it takes."""

from ansible_collections.stock_market.streaming.plugins.module_utils.documentation import argument_spec

DOCUMENTATION = """
options:
  users:
    description: The users.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: The user's name., type: str, required: true}
      password: {description: The user's password., type: str}
  state: {description: Whether they exist., type: str, choices: [present, absent], default: present}
"""


def test_a_modules_options_are_those_that_it_documents_without_the_words() -> None:
    spec = argument_spec(DOCUMENTATION)
    assert spec["state"] == {"type": "str", "choices": ["present", "absent"], "default": "present"}
    assert spec["users"]["options"]["name"] == {"type": "str", "required": True}
    assert argument_spec("module: without_options") == {}


def test_a_password_is_neither_printed_nor_returned() -> None:
    options = argument_spec(DOCUMENTATION)["users"]["options"]
    assert options["password"]["no_log"] is True
    assert "no_log" not in options["name"]
