"""The full screen. The only room that imports Textual; it shows what the session says and asks it to act."""
