#!/bin/sh
# all.sh: the chart's tests with Helm 4 and kustomize too. `make test` runs them with Helm 3.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
"$here/setup.sh" --all
export KMSG_HELM="$HOME/.cache/kmsg-exporter/bin/helm-4.3.1" KMSG_KUSTOMIZE="$HOME/.cache/kmsg-exporter/bin/kustomize-5.6.0"
exec "$here/../../.venv/bin/python" -m pytest "$here"
