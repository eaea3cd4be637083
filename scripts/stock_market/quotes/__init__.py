"""The record: the fields of a quote, and the check whether a Kafka record is a valid one."""
