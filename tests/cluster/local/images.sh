#!/bin/bash
# images.sh: the one image that Kubernetes itself needs, localhost/pause:1, from a few lines of C.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/root"
cat > "$work/pause.c" << 'C'
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int s) { _exit(0); }
static void reap(int s) { while (waitpid(-1, 0, WNOHANG) > 0); }
int main() { signal(SIGTERM, end); signal(SIGINT, end); signal(SIGCHLD, reap); for (;;) pause(); }
C
gcc -static -Os -s -w -o "$work/root/pause" "$work/pause.c"
"$here/cluster.sh" image localhost/pause:1 "$work/root" /pause
