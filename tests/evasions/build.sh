#!/bin/sh
# build.sh x86_64|aarch64: compile the program of all ways; prints where it is. Installs the compilers that are missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
home=${KMSG_EVADE_HOME:-$HOME/.cache/kmsg-exporter/evade}
machine=$1
compiler=gcc packages="gcc libc6-dev"
[ "$machine" = "$(uname -m)" ] || {
  compiler=$machine-linux-gnu-gcc
  case $machine in
    aarch64) packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;;
    *) packages="gcc-x86-64-linux-gnu libc6-dev-amd64-cross" ;;
  esac
}
mkdir -p "$home"
exec 9> "$home/lock"
flock 9
command -v "$compiler" > /dev/null || {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages > /dev/null
} >&2
stamp=$(cat "$0" "$here"/evade/* | sha256sum)
[ "$(cat "$home/$machine.stamp" 2> /dev/null)" = "$stamp" ] || {
  # static: a guest's libraries may be older, and there are none for the 32-bit and the other architecture's
  "$compiler" -std=gnu11 -Wall -Wextra -Werror -O1 -static -pthread -o "$home/evade-$machine" "$here"/evade/*.c
  echo "$stamp" > "$home/$machine.stamp"
}
echo "$home/evade-$machine"
