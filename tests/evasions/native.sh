#!/bin/sh
# native.sh: all ways on this machine's own kernel, by the backend that every kernel accepts; run as root.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
"$here/setup.sh" busybox
KMSG_EVADE=$("$here/build.sh" "$(uname -m)")
export KMSG_EVADE KMSG_BACKEND=tracepoint
exec "${PYTHON:-.venv/bin/python}" -m pytest -c tests/kernel/pytest.ini --confcutdir=tests -p no:cacheprovider \
  -p no:randomly tests/evasions/test_ways.py
