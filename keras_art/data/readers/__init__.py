"""One reader for every layout that a collection comes in; each returns a Collection."""
