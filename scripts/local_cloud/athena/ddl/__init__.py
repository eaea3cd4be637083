"""What Athena's DDL does to Glue's catalog, and which statements of Trino do it for Iceberg."""
