#!/bin/sh
# install-packages.sh [LIST...]: installs those packages of the lists beside it (debian-packages.txt
# without one) that this machine lacks; does nothing, and needs neither network nor root, when it
# lacks none.
set -eu
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- debian-packages.txt
missing=
for package in $(cat "$@" | grep -v '^#'); do
  dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' ||
    missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "kbench builds on Debian; install by hand what corresponds to:$missing" >&2
  exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "missing packages, and neither root nor sudo to install them: apt-get install$missing" >&2
    exit 1
  }
  as_root=sudo
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -q
# shellcheck disable=SC2086  # a list on purpose
$as_root apt-get install -y -q --no-install-recommends $missing
