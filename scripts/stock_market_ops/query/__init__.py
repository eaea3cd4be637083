"""`make query`: SQL, or the named analyses, in Athena."""
