"""Dialogs and lists that open over the main screen, one a file."""
