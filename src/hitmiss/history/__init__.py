"""What is remembered between sessions (SQLite). Knows no engine and no screen."""
