{{- define "kmsg-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 42 | trimSuffix "-" }}
{{- end }}

{{- define "kmsg-exporter.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 42 | trimSuffix "-" }}
{{- else if contains (include "kmsg-exporter.name" .) .Release.Name }}
{{- .Release.Name | trunc 42 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "kmsg-exporter.name" .) | trunc 42 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* 42 + 10: a StatefulSet's name and its revision have to fit into a label of 63. */}}
{{- define "kmsg-exporter.collectorName" -}}
{{ include "kmsg-exporter.fullname" . }}-collector
{{- end }}

{{- define "kmsg-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "kmsg-exporter.serviceAccountName" -}}
{{- default (ternary (include "kmsg-exporter.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{/* Both take (list $ COMPONENT). The name differs by component, so that name and instance select one kind of pod. */}}
{{- define "kmsg-exporter.selectorLabels" -}}
{{- $root := first . }}
{{- $suffix := ternary "" (printf "-%s" (last .)) (eq (last .) "agent") -}}
app.kubernetes.io/name: {{ include "kmsg-exporter.name" $root }}{{ $suffix }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- end }}

{{- define "kmsg-exporter.labels" -}}
{{- $root := first . -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "kmsg-exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/component: {{ last . }}
app.kubernetes.io/part-of: {{ $root.Chart.Name }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "kmsg-exporter.image" -}}
{{- list .Values.image.registry .Values.image.repository | compact | join "/" }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end }}
{{- end }}

{{/* Where events go; empty: they stay on the node. */}}
{{- define "kmsg-exporter.pushEndpoint" -}}
{{- if .Values.push.endpoint }}
{{- .Values.push.endpoint }}
{{- else if .Values.collector.enabled }}
{{- $host := default (printf "%s.%s.svc" (include "kmsg-exporter.collectorName" .) (include "kmsg-exporter.namespace" .)) .Values.collector.service.clusterIP }}
{{- printf "%s://%s:%v" (include "kmsg-exporter.collectorScheme" .) (contains ":" $host | ternary (printf "[%s]" $host) $host) .Values.collector.service.port }}
{{- end }}
{{- end }}

{{- define "kmsg-exporter.collectorScheme" -}}
{{- .Values.collector.webConfig.secretName | empty | ternary "http" .Values.collector.webConfig.scheme }}
{{- end }}

{{/* (list $ PATH): what asks whether the collector lives. It needs no password. */}}
{{- define "kmsg-exporter.collectorProbe" -}}
{{- $config := (first .).Values.collector.webConfig }}
{{- if and $config.secretName $config.clientCertificates -}}
tcpSocket:
  port: otlp-http
{{- else -}}
httpGet:
  path: {{ last . }}
  port: otlp-http
  scheme: {{ include "kmsg-exporter.collectorScheme" (first .) | upper }}
{{- end }}
{{- end }}

{{/* The port of the collector's page and metrics, by name. */}}
{{- define "kmsg-exporter.collectorPage" -}}
{{- .Values.collector.pagePort | int | eq 0 | ternary "otlp-http" "page" }}
{{- end }}

{{/* The port of an endpoint, or what its scheme means. */}}
{{- define "kmsg-exporter.pushPort" -}}
{{- $url := urlParse (include "kmsg-exporter.pushEndpoint" .) }}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "https" | ternary "443" "80") }}
{{- end }}

{{- define "kmsg-exporter.appArmorField" -}}
{{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version }}yes{{ end }}
{{- end }}

{{- define "kmsg-exporter.containerSecurityContext" -}}
{{- $context := deepCopy .Values.containerSecurityContext }}
{{- if .Values.privileged }}
{{- $context = omit $context "allowPrivilegeEscalation" "capabilities" "seccompProfile" "appArmorProfile" }}
{{- $_ := set $context "privileged" true }}
{{- end }}
{{- if not (include "kmsg-exporter.appArmorField" .) }}
{{- $context = omit $context "appArmorProfile" }}
{{- end }}
{{- if and .Values.securityContextConstraints.create (not $context.seLinuxOptions) }}
{{- $_ := set $context "seLinuxOptions" (dict "type" "spc_t") }}
{{- end }}
{{- toYaml $context }}
{{- end }}

{{/* The pod's annotations; before Kubernetes 1.30 the AppArmor profile is one of them. */}}
{{- define "kmsg-exporter.podAnnotations" -}}
{{- $annotations := deepCopy .Values.podAnnotations }}
{{- $profile := .Values.containerSecurityContext.appArmorProfile }}
{{- if and $profile (not .Values.privileged) (not (include "kmsg-exporter.appArmorField" .)) }}
{{- $names := dict "Unconfined" "unconfined" "RuntimeDefault" "runtime/default" "Localhost" (printf "localhost/%s" (default "" $profile.localhostProfile)) }}
{{- $_ := set $annotations "container.apparmor.security.beta.kubernetes.io/agent" (get $names $profile.type) }}
{{- end }}
{{- with $annotations }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{/* (list $ PATH): what asks whether the agent lives. It needs no password; a client certificate the kubelet has not. */}}
{{- define "kmsg-exporter.probe" -}}
{{- $root := first . }}
{{- if and $root.Values.webConfig.secretName $root.Values.webConfig.clientCertificates -}}
tcpSocket:
  port: metrics
{{- else -}}
httpGet:
  path: {{ last . }}
  port: metrics
  scheme: {{ include "kmsg-exporter.scheme" $root | upper }}
{{- end }}
{{- end }}

{{- define "kmsg-exporter.scheme" -}}
{{- .Values.webConfig.secretName | empty | ternary "http" .Values.webConfig.scheme }}
{{- end }}

{{/* (list $ MONITOR): what a PodMonitor's and a ServiceMonitor's endpoint have in common. */}}
{{- define "kmsg-exporter.scrape" -}}
{{- $root := first . }}
{{- $monitor := last . -}}
port: metrics
path: /metrics
scheme: {{ default (include "kmsg-exporter.scheme" $root) $monitor.scheme }}
{{- with $monitor.interval }}
interval: {{ . }}
{{- end }}
{{- with $monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with $monitor.tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $monitor.basicAuth }}
basicAuth:
  {{- toYaml . | nindent 2 }}
{{- end }}
relabelings:
  - sourceLabels: [__meta_kubernetes_pod_node_name]
    targetLabel: node
    action: replace
  {{- with $root.Values.cluster.name }}
  - targetLabel: cluster
    replacement: {{ . | quote }}
    action: replace
  {{- end }}
  {{- with $monitor.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* (list $ MONITOR): what comes before and after the endpoint. */}}
{{- define "kmsg-exporter.monitor" -}}
{{- $root := first . }}
{{- $monitor := last . -}}
jobLabel: app.kubernetes.io/part-of # the rules look for the job kmsg-exporter, whatever nameOverride says
namespaceSelector:
  matchNames: [{{ include "kmsg-exporter.namespace" $root }}]
selector:
  matchLabels:
    {{- include "kmsg-exporter.selectorLabels" (list $root "agent") | nindent 4 }}
{{- if $monitor.attachMetadata.node }}
attachMetadata:
  node: true
{{- end }}
{{- with $monitor.sampleLimit }}
sampleLimit: {{ int . }}
{{- end }}
{{- end }}

{{/* The Pod Security level that the namespace enforces; empty: none, or not to be asked (helm template, podSecurity.lookup). */}}
{{- define "kmsg-exporter.enforced" -}}
{{- if .Values.podSecurity.lookup }}
{{- $namespace := lookup "v1" "Namespace" "" (include "kmsg-exporter.namespace" .) }}
{{- dig "metadata" "labels" "pod-security.kubernetes.io/enforce" "" ($namespace | default dict) }}
{{- end }}
{{- end }}
