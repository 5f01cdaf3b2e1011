"""Forms of the store, oldest first; each is applied once, in order."""
