#!/bin/sh
# with_programs.sh PROGRAM... -- COMMAND...: the command; 77, which ctest shows as skipped, where a
# program is missing that it needs.
set -eu
missing=
while [ "$1" != -- ]; do
  command -v "$1" >/dev/null || missing="$missing $1"
  shift
done
shift
if [ -n "$missing" ]; then
  echo "skipped: missing:$missing; \`make fleet-packages\` installs what has them"
  exit 77
fi
exec "$@"
