"""What the operator's programs share: the deployment's facts, AWS clients, Athena, tables."""
