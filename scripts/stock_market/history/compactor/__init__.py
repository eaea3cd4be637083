"""Makes history of the hours that are over, of late objects, and removes what nobody reads any more."""
