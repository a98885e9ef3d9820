// Adds containerd's default seccomp profile (RuntimeDefault) to an OCI config.json: in on stdin, out on stdout.
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func main() {
	var spec specs.Spec
	in := json.NewDecoder(os.Stdin)
	in.DisallowUnknownFields() // what a runtime would not understand is no setting
	if err := in.Decode(&spec); err != nil {
		log.Fatalf("config.json: %v", err)
	}
	spec.Linux.Seccomp = seccomp.DefaultProfile(&spec)
	if err := json.NewEncoder(os.Stdout).Encode(&spec); err != nil {
		log.Fatal(err)
	}
}
