"""Projects that ship with hitmiss, for `hitmiss demo`: files to be built, never imported."""
