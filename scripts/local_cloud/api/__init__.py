"""The AWS API: a request from its bytes to its answer or its refusal, whichever service it is for."""
