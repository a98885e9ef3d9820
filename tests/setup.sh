#!/bin/sh
# What the tests need from Debian beside Python's packages; only what is missing is installed.
set -eu
need=
command -v promtool >/dev/null || need="$need prometheus"
command -v fuser >/dev/null || need="$need psmisc"
command -v gcc >/dev/null || need="$need gcc libc6-dev"
command -v bpftrace >/dev/null || need="$need bpftrace"
command -v openssl >/dev/null || need="$need openssl"
[ -z "$need" ] && exit 0
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $need >/dev/null
