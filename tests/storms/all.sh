#!/bin/sh
# The storms natively and in a guest with kprobes, and the calls where the kernel counts nothing by itself; then the
# figures of all into the README.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
"$here/../guest/setup.sh" 5.10 6.1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
failed=
"$here/run.sh" native > "$work/native" 2>&1 || failed="$failed native"
cat "$work/native"
"$here/run.sh" 6.1 kprobe > "$work/guest" 2>&1 || failed="$failed 6.1"
cat "$work/guest"
"$here/run.sh" 5.10 kprobe tests/storms/test_calls.py > "$work/old" 2>&1 || failed="$failed 5.10"
cat "$work/old"
[ -z "$failed" ] || { echo "storms: failed:$failed" >&2; exit 1; }
python3 "$here/figures.py" "$here/README.md" "$work/native" "$work/guest" "$work/old"
