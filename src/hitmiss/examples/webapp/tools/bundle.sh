#!/bin/sh
# Puts all style sheets into one file: bundle.sh FROM TO
set -eu
mkdir -p "$2"
for sheet in "$1"/*.css; do
  echo "bundling $sheet"
  cat "$sheet" >> "$2/bundle.css"
done
