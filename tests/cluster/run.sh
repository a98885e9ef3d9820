#!/bin/sh
# run.sh [PYTEST ARGS]: install, use, upgrade, roll back and remove the chart in a real cluster: the one that KUBECONFIG
#   names, else one that is started here for it. CHART_ARGS is added to helm's arguments, say --set=image.registry=...
#   Wants a cluster in which nothing else of this project runs: it clears the kernel log of a node, and removes the state.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
local=$here/local
python=${PYTHON:-$top/.venv/bin/python}
tests() { "$@" env PYTHONPATH="$here" "$python" -m pytest -q -p no:cacheprovider -p no:randomly -x "$here"; }
if [ -n "${KUBECONFIG:-}" ]; then
  tests env
  exit
fi
[ "$(id -u)" = 0 ] || { echo "run.sh: run as root, or set KUBECONFIG: a cluster is started here otherwise" >&2; exit 1; }
"$here/setup.sh"
"$top/tests/image/setup.sh"
"$top/tests/image/build.sh"
home=${CLUSTER_HOME:-$HOME/.cache/kmsg-exporter/cluster}
work=$(mktemp -d)
stop() {
  "$local/cluster.sh" down
  rm -rf "$work"
}
trap stop EXIT
trap 'exit 143' TERM INT
"$local/cluster.sh" down # what an interrupted run left
"$local/cluster.sh" up
buildah push --quiet localhost/kmsg-exporter:test "docker-archive:$work/image.tar:ghcr.io/kmsg-exporter/kmsg-exporter:0.1.0"
"$local/cluster.sh" import "$work/image.tar"
mkdir -m 777 "$home/data/volume"
sed "s|VOLUME|$home/data/volume|" "$local/volume.yaml" | "$local/cluster.sh" run kubectl apply -f -
CHART_ARGS="--set=collector.service.clusterIP=10.96.0.43 ${CHART_ARGS:-}" # there is no DNS
export CHART_ARGS
tests "$local/cluster.sh" run
