"""The producer and the consumer of the stock-market stream."""
