"""What Prometheus reads of a service: how a metric is defined, what it is read from, and the listener."""
