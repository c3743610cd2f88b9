"""A build shown without a screen: tree, plain lines, JSON. Shows only what the session says."""
