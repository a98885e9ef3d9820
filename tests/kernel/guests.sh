#!/bin/sh
# Boots every kernel and tests on each: kprobe on all, the other backends and lockdown on one. Two guests run at a time.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
one='5.10 kprobe
6.1 kprobe tracepoint state
6.1 --append=lockdown=integrity lockdown
6.1 --append=lockdown=confidentiality lockdown'
other='6.1-arm64 kprobe
6.12 kprobe function'
# one guest after the other; only a line that begins with "## passed" says that one was well
lane() {
  echo "$1" | while read -r guest; do
    echo "## boot $guest"
    if "$top/tests/kernel/boot.sh" $guest < /dev/null; then echo "## passed: boot $guest"; else echo "## failed: boot $guest"; fi
  done
}
case "${1-}" in other) lane "$other"; exit ;; esac
# all that is installed and made, by one at a time: two of Debian's package managers can't run beside each other
"$top/tests/guest/setup.sh" || exit 1
for arch in amd64 arm64; do "$top/tests/kernel/rsyslog.sh" $arch > /dev/null || exit 1; done
for machine in x86_64 aarch64; do "$top/tests/evasions/copies.sh" $machine > /dev/null || exit 1; done
work=$(mktemp -d)
setsid "$0" other > "$work/other" 2>&1 &
beside=$!
trap 'kill -- "-$beside" 2> /dev/null; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
lane "$one" 2>&1 | tee "$work/one"
status=0
wait "$beside" || { echo "## failed: the second lane ended with $?" >> "$work/other"; status=1; }
cat "$work/other"
# a lane that was killed says nothing of what it did not come to
missing=$(printf '%s\n%s\n' "$one" "$other" | while read -r guest; do
  cat "$work/one" "$work/other" | grep -qxF "## passed: boot $guest" || echo "## not passed: boot $guest"
done)
[ -z "$missing" ] || { echo "$missing"; status=1; }
exit $status
