"""The bundles that the guest runs: the chart's pods, rendered by Helm, as config.json files around the built image."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import oci
import yaml
from oci import Json, Place

TOP = Path(__file__).parents[2]
CHART = TOP / "helm" / "kmsg-exporter"
IMAGE = "localhost/kmsg-exporter:test"
COLLECTOR = "http://127.0.0.1:4318"  # the pods share one network here, so this is the collector's
AGENT = "c0ffee" + 29 * "a1"  # containerd's ids have 64 hexadecimal digits
TIDY = "deca1f" + 29 * "b2"
TIDY_POD = "5f0c7be2-3b3f-4f6e-9d0a-6d8b7a4f2c11"

# What else runs on the node: a pod that may clear the log, and does.
_TIDY_POD: Json = {
    "containers": [
        {
            "name": "tidy",
            "command": ["/bin/nightly.sh"],
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"], "add": ["SYSLOG"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        }
    ]
}


def rendered_pod(kind: str, *values: str) -> Json:
    """The pod's spec in the chart's only object of this kind, rendered for a current Kubernetes."""
    helm = str(Path(sys.executable).with_name("helm"))
    sets = [f"--set={value}" for value in values]
    command = [helm, "template", "kmsg-exporter", str(CHART), "--kube-version=1.33.0", *sets]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    objects = [document for document in yaml.safe_load_all(text) if document and document["kind"] == kind]
    (found,) = objects
    spec: Json = found["spec"]["template"]["spec"]
    return spec


def image_config() -> Json:
    """What the built image says about how it wants to be run."""
    command = ["buildah", "inspect", "--type=image", IMAGE]
    about: Json = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    config: Json = about["OCIv1"]["config"]
    return config


def pods() -> dict[str, tuple[Json, Place]]:
    """Every pod that is run in the guest, by name."""
    endpoint = f"push.endpoint={COLLECTOR}"
    agent = Place(AGENT, "0b5cb7c4-1b0e-4a53-8b0a-5f2b1d0f7a10", "guest", "/run/pods", "/run/image", "/run/pod-agent")
    collector = Place(
        29 * "c3" + "ca11ed",
        "7d1d9e0a-90d7-4a7c-8f1b-4f0f5d8c2b12",
        "guest",
        "/run/pods",
        "/run/image",
        "/run/pod-collector",
    )
    tidy = Place(TIDY, TIDY_POD, "guest", "/run/pods", "/run/tidy", "")
    return {
        "agent": (rendered_pod("DaemonSet", endpoint), agent),
        "privileged": (rendered_pod("DaemonSet", endpoint, "privileged=true"), agent),
        "no-tracing": (rendered_pod("DaemonSet", endpoint, "tracing.enabled=false"), agent),
        "collector": (rendered_pod("StatefulSet", "collector.enabled=true"), collector),
        "tidy": (_TIDY_POD, tidy),
    }


def main(out: Path, with_seccomp: Path) -> None:
    """Write OUT/NAME/config.json for each pod, and OUT/NAME/directories: what the kubelet makes before, one a line."""
    image = image_config()
    for name, (pod, place) in pods().items():
        config = oci.config(pod, {} if name == "tidy" else image, place)
        text = json.dumps(config)
        privileged = pod["containers"][0]["securityContext"].get("privileged")
        if not privileged:
            text = subprocess.run([with_seccomp], check=True, input=text, stdout=subprocess.PIPE, text=True).stdout
        bundle = out / name
        bundle.mkdir(parents=True)
        (bundle / "config.json").write_text(text)
        sources = [mount["source"] for mount in config["mounts"] if mount["type"] == "bind"]
        (bundle / "directories").write_text("".join(f"{source}\n" for source in sources))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
