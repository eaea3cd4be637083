"""Grafana's dashboards of a deployment, as code."""
