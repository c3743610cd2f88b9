"""`make screenshots`: real sessions on the private engine, as pictures."""
