#!/bin/sh
# run.sh: all ways on all kernels, by each backend of the table, and natively; then prints the table of what was seen and
#   writes it into README.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
python=${PYTHON:-$top/.venv/bin/python}
"$top/tests/guest/setup.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
boot() {
  kernel=$1; shift
  "$top/tests/kernel/boot.sh" "$kernel" --out="$work" --only=tests/evasions/test_ways.py "$@" || status=1
}
boot 5.10 kprobe
boot 6.1 kprobe tracepoint
boot 6.12 kprobe function
boot 6.1-arm64 kprobe
KMSG_EVASIONS=$work "$here/native.sh" || status=1
"$python" "$here/table.py" "$work"
exit $status
