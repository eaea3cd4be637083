"""What all modules share that ask AWS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.stock_market.streaming.plugins.module_utils.documentation import argument_spec
from botocore import exceptions as boto_errors


def run_module(
    documentation: str, run: Callable[[AnsibleAWSModule], dict[str, Any]], failure: str, **more: Any
) -> None:
    """Run a module, and end it with what `run` returns, or with what AWS refused.

    Args:
        documentation: its DOCUMENTATION, which declares its options.
        run: does the module's work.
        failure: the beginning of the sentence that tells what AWS refused; `{name}` stands for the option `name`.
        more: other arguments of AnsibleModule, such as `required_if`.
    """
    module = AnsibleAWSModule(argument_spec=argument_spec(documentation), supports_check_mode=True, **more)
    try:
        result = run(module)
    except (boto_errors.BotoCoreError, boto_errors.ClientError) as error:
        module.fail_json_aws(error, msg=failure.format(**module.params))
    module.exit_json(**result)
