{{/* Name of the chart, as a label. */}}
{{- define "qos-operator.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* Name of the release's objects; at most 40 characters, so that every suffix fits. */}}
{{- define "qos-operator.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- $name := .Values.nameOverride | default .Chart.Name }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "qos-operator.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace }}
{{- end }}

{{/* Cluster-scoped objects of two releases must not have the same name. */}}
{{- define "qos-operator.clusterName" -}}
{{- if eq (include "qos-operator.fullname" .) (include "qos-operator.namespace" .) }}
{{- include "qos-operator.fullname" . }}
{{- else }}
{{- printf "%s-%s" (include "qos-operator.fullname" .) (include "qos-operator.namespace" .) }}
{{- end }}
{{- end }}

{{- define "qos-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "qos-operator.fullname" .) }}
{{- else }}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* What selects: these labels can never change. Takes a dict of context and component. */}}
{{- define "qos-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "qos-operator.name" .context }}
app.kubernetes.io/instance: {{ .context.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of an object. Takes a dict of context and component. */}}
{{- define "qos-operator.labels" -}}
{{ include "qos-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
app.kubernetes.io/part-of: qos-operator
helm.sh/chart: {{ printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .context.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* An image. Takes a dict of context and image (repository, tag, digest; empty ones are the operator's). */}}
{{- define "qos-operator.image" -}}
{{- $own := .context.Values.image }}
{{- $other := and .image.repository (ne .image.repository $own.repository) }}
{{- $repository := .image.repository | default $own.repository }}
{{- $registry := .context.Values.global.imageRegistry }}
{{- if $registry }}{{ $repository = printf "%s/%s" (trimSuffix "/" $registry) $repository }}{{ end }}
{{- $digest := .image.digest }}
{{- $tag := .image.tag }}
{{- if not (or $other $digest $tag) }}{{ $digest = $own.digest }}{{ end }}
{{- if $digest }}
{{- printf "%s@%s" $repository $digest }}
{{- else }}
{{- printf "%s:%s" $repository ($tag | default $own.tag | default .context.Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/* Pull Secrets of a Pod. */}}
{{- define "qos-operator.imagePullSecrets" -}}
{{- with concat .Values.global.imagePullSecrets .Values.imagePullSecrets | uniq }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* Security context without what is null; nothing if nothing is left. Takes a dict of name and value. */}}
{{- define "qos-operator.securityContext" -}}
{{- $kept := dict }}
{{- range $key, $value := .value }}
{{- if not (kindIs "invalid" $value) }}{{ $_ := set $kept $key $value }}{{ end }}
{{- end }}
{{- with $kept }}
{{ $.name }}:
{{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The Pod of a hook runs the operator's binary, with the operator's rights. Takes a dict of context, name, args and resources. */}}
{{- define "qos-operator.hookPodSpec" -}}
serviceAccountName: {{ include "qos-operator.serviceAccountName" .context }}
automountServiceAccountToken: true
enableServiceLinks: false
restartPolicy: Never
{{- include "qos-operator.imagePullSecrets" .context }}
{{- include "qos-operator.securityContext" (dict "name" "securityContext" "value" .context.Values.podSecurityContext) }}
{{- with .context.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .context.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .context.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: {{ .name }}
    image: {{ include "qos-operator.image" (dict "context" .context "image" .context.Values.image) }}
    imagePullPolicy: {{ .context.Values.image.pullPolicy }}
    args:
      {{- toYaml .args | nindent 6 }}
    env:
      - name: POD_NAMESPACE
        valueFrom:
          fieldRef:
            fieldPath: metadata.namespace
    resources:
      {{- toYaml .resources | nindent 6 }}
    {{- include "qos-operator.securityContext" (dict "name" "securityContext" "value" .context.Values.securityContext) | indent 4 }}
{{- end }}

{{/* Whether to render an object of a kind that a cluster may lack: "true" or nothing. Takes a dict of context, value and kind. */}}
{{- define "qos-operator.rendersOptional" -}}
{{- if .value.enabled }}
{{- $there := .context.Capabilities.APIVersions.Has .kind }}
{{- if and (eq .value.renderMode "failIfMissing") (not $there) }}
{{- fail (printf "%s.enabled: the API server has no %s; install it, or set %s.renderMode to skipIfMissing" .name .kind .name) }}
{{- end }}
{{- if or $there (eq .value.renderMode "alwaysRender") }}true{{ end }}
{{- end }}
{{- end }}

{{/* Host and path of the public URL. */}}
{{- define "qos-operator.publicHost" -}}
{{- (urlParse .Values.notifications.publicUrl).host | regexFind "^[^:]+" }}
{{- end }}
{{- define "qos-operator.publicPath" -}}
{{- (urlParse .Values.notifications.publicUrl).path | trimSuffix "/" | default "/" }}
{{- end }}

{{/* Number of Pods that a budget is for. */}}
{{- define "qos-operator.hasBudget" -}}
{{- $enabled := toString .Values.podDisruptionBudget.enabled }}
{{- if or (eq $enabled "true") (and (eq $enabled "auto") (gt (int .Values.replicaCount) 1)) }}true{{ end }}
{{- end }}
