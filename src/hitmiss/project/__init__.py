"""What the user has: Dockerfile, ignore rules, context, saves. Values in, values out: no process, no screen, no database."""
