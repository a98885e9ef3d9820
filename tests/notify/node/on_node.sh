#!/bin/bash
# What happens on the node: it gets a network, the agent starts, and when the test says so a script clears the log.
#   on_node.sh PORT: of the test's server, at the address by which QEMU's network shows this machine to a guest.
set -eu
port=$1
wait_for() { # by bash itself: busybox, which is static, can't look up a name here, not even an address
  local answer
  exec 3<>"/dev/tcp/10.0.2.2/$port"
  printf 'GET /signal/%s HTTP/1.0\r\n\r\n' "$1" >&3
  read -r -t 300 answer <&3
  exec 3>&-
  [[ $answer == *" 200 "* ]]
}
insmod /opt/e1000.ko
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
PYTHONPATH=/opt/kmsg-exporter python3 -m kmsg_exporter run --log.format=logfmt &
agent=$!
trap 'status=$?; kill "$agent"; wait "$agent" || true; exit "$status"' EXIT
wait_for clear
/opt/ci/cleanup.sh
wait_for end
