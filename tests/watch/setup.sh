#!/bin/sh
# setup.sh: make this machine ready for tests/watch. From Debian: tmux, which is the terminal.
set -eu
command -v tmux >/dev/null && exit 0
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends tmux >/dev/null
