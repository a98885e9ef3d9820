#!/bin/bash
# apt.sh SUITE ARCH apt-get|apt-cache ARGS...
#   Runs apt for another Debian suite or architecture, as if nothing were installed: all its state is below the guest home,
#   the machine's own apt and dpkg are only read (which mirror, which keys). "install --download-only" then resolves a whole root.
set -euo pipefail
suite=$1 arch=$2 tool=$3; shift 3
home=${KMSG_GUEST_HOME:-$HOME/.cache/kmsg-exporter/guest}/apt/$suite-$arch
mkdir -p "$home/lists/partial" "$home/cache/archives/partial"
: > "$home/status"

# The mirrors of the machine's own suite serve the other suites too: lines of "URI SUITE", from either format of sources.
own=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirrors=$(
  find /etc/apt -name '*.sources' -exec awk '/^URIs:/{u=$2} /^Suites:/{for (i = 2; i <= NF; i++) print u, $i}' {} +
  find /etc/apt -name '*.list' -exec sed -n 's/^deb  *\(\[[^]]*\]\)\{0,1\} *\([^ ]*\)  *\([^ ]*\) .*/\2 \3/p' {} +
)
uri_of() { awk -v s="$1" '$2 == s {print $1; exit}' <<< "$mirrors"; }
keys="[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
main=$(uri_of "$own") security=$(uri_of "$own-security")
[ -n "$main" ] || { echo "apt.sh: no mirror of $own below /etc/apt: add one to /etc/apt/sources.list.d" >&2; exit 1; }
{
  echo "deb $keys $main $suite main"
  [ -z "$security" ] || echo "deb $keys $security $suite-security main"
} > "$home/sources.list"

exec "$tool" -o Dir::State="$home" -o Dir::State::lists="$home/lists" -o Dir::State::status="$home/status" \
  -o Dir::Cache="$home/cache" -o Dir::Etc::sourcelist="$home/sources.list" -o Dir::Etc::sourceparts=/dev/null \
  -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
  -o APT::Architecture="$arch" -o APT::Architectures::="$arch" -o APT::Install-Recommends=false -o APT::Sandbox::User= \
  -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@"
