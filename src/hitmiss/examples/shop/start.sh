#!/bin/sh
# Runs both halves of the shop in the one container of compose.before.yaml.
set -eu
(cd backend && exec gunicorn --bind 127.0.0.1:8000 --chdir src app:app) &
cd frontend
exec node src/server.js
