#!/bin/sh
# setup.sh PROGRAM...: install what these tests run, where it is missing.
set -eu
missing=
for program; do
  command -v "$program" > /dev/null && continue
  case $program in
    aarch64-linux-gnu-gcc) missing="$missing gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;;
    x86_64-linux-gnu-gcc) missing="$missing gcc-x86-64-linux-gnu libc6-dev-amd64-cross" ;;
    gcc) missing="$missing gcc libc6-dev" ;;
    busybox) missing="$missing busybox-static" ;;
    *) missing="$missing $program" ;;
  esac
done
[ -n "$missing" ] || exit 0
apt-get update -qq >&2
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing > /dev/null
