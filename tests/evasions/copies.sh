#!/bin/sh
# copies.sh x86_64|aarch64: what a guest needs for these tests, as options of boot.py. Installs and compiles what is missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
machine=$1 missing=
echo --copy "$here:/opt/kmsg-exporter/tests/evasions" --copy "$("$here/build.sh" "$machine"):/opt/kmsg-exporter/evade"
[ "$machine" = "$(uname -m)" ] || exit 0 # what follows is this machine's own
for program in runc lsof; do command -v $program > /dev/null || missing="$missing $program"; done
[ -z "$missing" ] || {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing > /dev/null
} >&2
for program in runc lsof; do
  path=$(command -v $program)
  echo --copy "$path:$path"
  # the guest has a C library of its own
  ldd "$path" | awk '$2 == "=>" && $3 ~ /^\// && $3 !~ /\/libc\.so/ { print "--copy " $3 ":" $3 }'
done
