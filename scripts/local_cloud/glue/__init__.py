"""Glue's Data Catalog for moto: what its own does not serve, or not as Glue does."""
