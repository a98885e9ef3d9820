#!/bin/bash
# run.sh: a real kernel, an OOM kill, a script that clears the log, and what the agent has to say about it.
#   Boots Debian's 6.1 in an emulator and tells the story there; ends with 0 when the agent named the script and kept the OOM kill.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
"$root/tests/guest/setup.sh" 6.1
echo "Booting Debian's Linux 6.1 in an emulator; this takes a moment."
exec python3.11 "$root/tests/guest/boot.py" 6.1 --timeout 300 \
  --copy "$root/kmsg_exporter:/opt/kmsg-exporter/kmsg_exporter" \
  --copy "$here/node:/" --copy "$here/story.py:/opt/demo/story.py" -- /opt/demo/story.py
