"""The producer service: from a market, simulated or replayed, to Kafka."""
