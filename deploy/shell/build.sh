#!/bin/sh
# build.sh [DIR]: make the manual page and the completion for bash, zsh and fish in DIR (dist/).
#   They are made from the command line and the table of options: what --help says, they say.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
python=${PYTHON:-$top/.venv/bin/python}
dir=${1:-$top/dist}
mkdir -p "$dir"
PYTHONPATH=$top "$python" "$here/man.py" > "$dir/kmsg-exporter.rst"
# manual pages have their headings in capitals
"$python" -m docutils --writer=manpage --strict "$dir/kmsg-exporter.rst" | sed 's/^\.SH Name$/.SH NAME/' > "$dir/kmsg-exporter.1"
rm "$dir/kmsg-exporter.rst"
for shell in bash zsh fish; do
  PYTHONPATH=$top "$python" "$here/completion.py" "$shell" > "$dir/kmsg-exporter.$shell"
done
