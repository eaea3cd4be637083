"""IAM: who calls, which actions a request is, and whether policies allow it."""
