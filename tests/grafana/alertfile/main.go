// alertfile FILE...: decodes Grafana alert files (as JSON) into Grafana's own API types, refuses what these do not know,
// lets them validate themselves, and expands every annotation as a template, with and without optional labels.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"

	"github.com/go-openapi/strfmt"
	"github.com/grafana/grafana-openapi-client-go/models"
)

// What Grafana puts before each template, and the functions of its own that we use.
const prologue = "{{$labels := .Labels}}{{$values := .Values}}"

type value struct{ Value float64 }

type facts struct {
	Labels map[string]string
	Values map[string]value
}

var samples = []map[string]string{
	{"node": "node-1", "instance": "10.0.0.1:10144", "comm": "dmesg", "exe": "/usr/bin/dmesg", "origin": "cleanup.sh",
		"probe": "syslog_enter", "reason": "rejected"},
	{"instance": "10.0.0.1:10144"},
}

func check(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var file models.AlertingFileExport
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return err
	}
	if err := file.Validate(strfmt.Default); err != nil {
		return err
	}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			for name, annotation := range rule.Annotations {
				for _, labels := range samples {
					if err := expand(annotation, labels); err != nil {
						return fmt.Errorf("%s: %s: %w", rule.Title, name, err)
					}
				}
			}
		}
	}
	return nil
}

func expand(text string, labels map[string]string) error {
	functions := template.FuncMap{"humanizeDuration": func(seconds float64) string { return fmt.Sprint(seconds, "s") }}
	parsed, err := template.New("").Option("missingkey=invalid").Funcs(functions).Parse(prologue + text)
	if err != nil {
		return err
	}
	var out strings.Builder
	if err := parsed.Execute(&out, facts{labels, map[string]value{"A": {2}}}); err != nil {
		return err
	}
	// comm, exe and origin are on every alert that names them; node, probe and reason may be absent
	if strings.Contains(out.String(), "<no value>") && labels["comm"] != "" {
		return fmt.Errorf("%q has no value for something", out.String())
	}
	return nil
}

func main() {
	status := 0
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			status = 1
		}
	}
	os.Exit(status)
}
