"""What the user has: Dockerfile, ignore rules, context, saves. No process, no screen, no database."""
