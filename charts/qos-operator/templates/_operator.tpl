{{/* The Pod spec of the operator. */}}
{{- define "qos-operator.operatorPod" -}}
{{- $labels := dict "context" . "component" "operator" }}
{{- $n := .Values.notifications }}
serviceAccountName: {{ include "qos-operator.serviceAccountName" . }}
automountServiceAccountToken: true
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
{{- include "qos-operator.imagePullSecrets" . }}
{{- include "qos-operator.securityContext" (dict "name" "securityContext" "value" .Values.podSecurityContext) }}
{{- if not (kindIs "invalid" .Values.hostUsers) }}
hostUsers: {{ .Values.hostUsers }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  {{- $own := dict "labelSelector" (dict "matchLabels" (include "qos-operator.selectorLabels" $labels | fromYaml)) }}
  - {{- toYaml (merge (deepCopy .) (ternary dict $own (hasKey . "labelSelector"))) | nindent 4 }}
  {{- end }}
{{- end }}
containers:
  - name: operator
    image: {{ include "qos-operator.image" (dict "context" . "image" .Values.image) }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args:
      - --key-secret={{ include "qos-operator.fullname" . }}-key
      - --leader-election
      - --lease-name={{ include "qos-operator.fullname" . }}
      - --lease-duration={{ .Values.leaderElection.leaseDuration }}
      - --lease-renew-deadline={{ .Values.leaderElection.renewDeadline }}
      - --lease-retry-period={{ .Values.leaderElection.retryPeriod }}
      - --admin-listen=0.0.0.0:8080
      {{- with .Values.watchNamespaces }}
      - --watch-namespaces={{ join "," . }}
      {{- end }}
      {{- with .Values.sessionSelector }}
      - --session-selector={{ . }}
      {{- end }}
      - --workloads={{ .Values.workloads.enabled }}
      {{- if .Values.workloads.enabled }}
      - --workload-linger={{ .Values.workloads.linger }}
      - --workload-node-devices={{ .Values.workloads.nodeDevices }}
      {{- end }}
      {{- if $n.enabled }}
      - --callback-url={{ $n.publicUrl }}
      - --notify-listen=0.0.0.0:8443
      - --hand-over-listen=0.0.0.0:8444
      {{- if $n.tls.secretName }}
      - --notify-tls-cert=/etc/qos-operator/notify-tls/tls.crt
      - --notify-tls-key=/etc/qos-operator/notify-tls/tls.key
      {{- end }}
      {{- range $n.trustedProxies }}
      - --notify-trusted-proxy={{ . }}
      {{- end }}
      {{- end }}
      - --log-level={{ .Values.log.level }}
      - --log-format={{ .Values.log.format }}
      {{- with .Values.tracing }}
      {{- if .endpoint }}
      - --otlp-endpoint={{ .endpoint }}
      - --trace-ratio={{ .ratio }}
      {{- end }}
      {{- end }}
      {{- with .Values.extraArgs }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    env:
      - name: POD_NAMESPACE
        valueFrom:
          fieldRef:
            fieldPath: metadata.namespace
      - name: POD_NAME
        valueFrom:
          fieldRef:
            fieldPath: metadata.name
      - name: POD_IP
        valueFrom:
          fieldRef:
            fieldPath: status.podIP
      {{- with .Values.proxy.https }}
      - name: HTTPS_PROXY
        value: {{ . | quote }}
      {{- end }}
      {{- with .Values.proxy.no }}
      - name: NO_PROXY
        value: {{ . | quote }}
      {{- end }}
      {{- if .Values.caBundle.configMapName }}
      # Both are read, so the ConfigMap's certificates come on top of the image's.
      - name: SSL_CERT_FILE
        value: /etc/ssl/certs/ca-certificates.crt
      - name: SSL_CERT_DIR
        value: /etc/qos-operator/ca
      {{- end }}
      {{- with .Values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    ports:
      - name: admin
        containerPort: 8080
      {{- if $n.enabled }}
      - name: notify
        containerPort: 8443
      - name: hand-over
        containerPort: 8444
      {{- end }}
    startupProbe:
      httpGet:
        path: /healthz
        port: admin
      periodSeconds: 1
      failureThreshold: 60
    livenessProbe:
      httpGet:
        path: /healthz
        port: admin
      periodSeconds: 20
      timeoutSeconds: 5
      failureThreshold: 3
    readinessProbe:
      httpGet:
        path: /readyz
        port: admin
      periodSeconds: 5
      timeoutSeconds: 3
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    {{- include "qos-operator.securityContext" (dict "name" "securityContext" "value" .Values.securityContext) | indent 4 }}
    {{- include "qos-operator.operatorMounts" . | indent 4 }}
{{- include "qos-operator.operatorVolumes" . }}
{{- end }}

{{- define "qos-operator.operatorMounts" -}}
{{- $mounts := list }}
{{- if and .Values.notifications.enabled .Values.notifications.tls.secretName }}
{{- $mounts = append $mounts (dict "name" "notify-tls" "mountPath" "/etc/qos-operator/notify-tls" "readOnly" true) }}
{{- end }}
{{- if .Values.caBundle.configMapName }}
{{- $mounts = append $mounts (dict "name" "ca" "mountPath" "/etc/qos-operator/ca" "readOnly" true) }}
{{- end }}
{{- with concat $mounts .Values.extraVolumeMounts }}
volumeMounts:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "qos-operator.operatorVolumes" -}}
{{- $volumes := list }}
{{- if and .Values.notifications.enabled .Values.notifications.tls.secretName }}
{{- $volumes = append $volumes (dict "name" "notify-tls" "secret" (dict "secretName" .Values.notifications.tls.secretName)) }}
{{- end }}
{{- with .Values.caBundle }}
{{- if .configMapName }}
{{- /* The name is of the form that OpenSSL's rehash gives, which some readers of SSL_CERT_DIR insist on. */}}
{{- $item := dict "key" .key "path" "00000000.0" }}
{{- $volumes = append $volumes (dict "name" "ca" "configMap" (dict "name" .configMapName "items" (list $item))) }}
{{- end }}
{{- end }}
{{- with concat $volumes .Values.extraVolumes }}
volumes:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
