#!/bin/sh
# Boots every kernel, one after the other, and tests on each: kprobe on all, the other backends and lockdown on one.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
"$top/tests/guest/setup.sh" || exit 1
status=0
boot() { echo "## boot $*"; "$top/tests/kernel/boot.sh" "$@" || { status=1; echo "## failed: boot $*"; }; }
boot 5.10 kprobe
boot 6.1 kprobe tracepoint state
boot 6.12 kprobe function
boot 6.1-arm64 kprobe
boot 6.1 --append=lockdown=confidentiality lockdown
boot 6.1 --append=lockdown=integrity lockdown
exit $status
