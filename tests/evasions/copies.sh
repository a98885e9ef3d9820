#!/bin/sh
# copies.sh x86_64|aarch64: what a guest needs for these tests, as options of boot.py; made and installed where it is missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
machine=$1
evade=$("$here/build.sh" "$machine") # in a line of its own, so that its failure ends this
echo --copy "$here:/opt/kmsg-exporter/tests/evasions" --copy "$evade:/opt/kmsg-exporter/evade"
[ "$machine" = "$(uname -m)" ] || exit 0 # what follows is this machine's own
"$here/setup.sh" runc lsof
for program in runc lsof; do
  path=$(command -v $program)
  echo --copy "$path:$path"
  # the guest has a C library of its own
  ldd "$path" | awk '$2 == "=>" && $3 ~ /^\// && $3 !~ /\/libc\.so/ { print "--copy " $3 ":" $3 }'
done
