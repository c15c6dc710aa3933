{{/* What the operator may do with the objects of a namespace: the rules of a Role, or of the ClusterRole when it acts in all. */}}
{{- define "qos-operator.namespacedRules" -}}
{{- $guard := and .Values.uninstallGuard.enabled (has .Values.uninstallGuard.mode (list "Delete" "Orphan")) }}
- apiGroups: [qos-operator.io]
  resources: [qossessions]
  verbs: [get, list, watch, patch{{ if .Values.workloads.enabled }}, create{{ end }}{{ if or .Values.workloads.enabled $guard }}, delete{{ end }}]
- apiGroups: [qos-operator.io]
  resources: [qossessions/status]
  verbs: [patch]
{{- if .Values.workloads.enabled }}
- apiGroups: [""]
  resources: [pods, services]
  verbs: [list, watch]
{{- end }}
{{- end }}
