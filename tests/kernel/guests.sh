#!/bin/sh
# Boots every kernel and tests on each: kprobe on all, the other backends and lockdown on one. Two guests run at a time.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
boot() { echo "## boot $*"; "$top/tests/kernel/boot.sh" "$@" || echo "## failed: boot $*"; }
one() {
  boot 5.10 kprobe
  boot 6.1 kprobe tracepoint state
  boot 6.1 --append=lockdown=integrity lockdown
  boot 6.1 --append=lockdown=confidentiality lockdown
}
other() {
  boot 6.1-arm64 kprobe
  boot 6.12 kprobe function
}
case "${1-}" in other) other; exit ;; esac
"$top/tests/guest/setup.sh" || exit 1
work=$(mktemp -d)
setsid "$0" other > "$work/other" 2>&1 &
beside=$!
trap 'kill -- "-$beside" 2> /dev/null; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
one 2>&1 | tee "$work/one"
wait "$beside"
cat "$work/other"
! grep '^## failed' "$work/one" "$work/other"
