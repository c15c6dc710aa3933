{{/* The alerts. `$labels` is Prometheus', so it stands in quotes of Helm. A section of docs/runbooks.md for each. */}}
{{- define "qos-operator.alerts" -}}
{{- $t := .Values.prometheusRule.thresholds }}
{{- $provider := "{{ $labels.provider }}" }}
{{- $reason := "{{ $labels.reason }}" }}
{{- $value := "{{ $value | humanize }}" }}
- alert: QosOperatorDown
  expr: absent(qos_operator_build_info)
  for: 5m
  labels: {severity: critical}
  annotations:
    summary: No qos-operator answers
    description: Prometheus has read no metrics of an operator for 5 minutes. Sessions run on, and none is renewed, recovered or released.
- alert: QosOperatorNoLeader
  expr: max(qos_operator_leader) == 0
  for: 2m
  labels: {severity: critical}
  annotations:
    summary: No replica of qos-operator leads
    description: Replicas answer, and none holds the Lease. Nothing is created, renewed or released.
- alert: QosOperatorWatchDown
  expr: min by (resource) (qos_operator_watch_up) == 0
  for: 5m
  labels: {severity: warning}
  annotations:
    summary: {{ "The operator cannot watch {{ $labels.resource }}" | quote }}
    description: {{ "The last try to list or watch {{ $labels.resource }} failed, for 5 minutes now. Changes of these objects are not seen." | quote }}
- alert: QosOperatorForbidden
  expr: sum by (verb, resource) (increase(qos_operator_api_server_requests_total{code="403"}[10m])) > 0
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: {{ "The API server forbids the operator to {{ $labels.verb }} {{ $labels.resource }}" | quote }}
    description: A right of the chart's roles is missing, a policy is in the way, or a Secret of another namespace was not shared by its owner.
- alert: QosOperatorApiServerErrors
  expr: |-
    sum(rate(qos_operator_api_server_requests_total{code=~"5..|error"}[10m]))
      / sum(rate(qos_operator_api_server_requests_total[10m])) > 0.1
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: More than a tenth of the operator's requests to the API server fail
    description: {{ printf "%s of the requests were not answered or ended in a server error." $value | quote }}
- alert: QosOperatorPassesFail
  expr: |-
    sum(rate(qos_operator_passes_total{result="Failed"}[15m]))
      / sum(rate(qos_operator_passes_total[15m])) > 0.1
  for: 15m
  labels: {severity: warning}
  annotations:
    summary: More than a tenth of the operator's passes fail
    description: {{ printf "%s of the passes over QosSessions could not write what they found." $value | quote }}
- alert: QosOperatorBehind
  expr: sum(qos_operator_timers_due) > 100
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: The operator does not keep up
    description: {{ printf "%s objects have been due and were not looked at, for 10 minutes." $value | quote }}
- alert: QosOperatorUndecodable
  expr: max(qos_operator_undecodable_objects) > 0
  for: 5m
  labels: {severity: warning}
  annotations:
    summary: QosSessions that this release cannot read
    description: {{ printf "%s QosSessions were written by another release; they are only released." $value | quote }}
- alert: QosProviderCredentialsRejected
  expr: min by (provider) (qos_operator_provider_ready{reason="CredentialsRejected"}) == 0
  for: 1m
  labels: {severity: critical}
  annotations:
    summary: {{ printf "Provider %s refuses the credentials" $provider | quote }}
    description: Sessions are not created, renewed or released there until its Secret or the client's rights are corrected.
- alert: QosProviderNotReady
  expr: min by (provider, reason) (qos_operator_provider_ready{reason!="CredentialsRejected"}) == 0
  for: {{ $t.providerNotReady }}
  labels: {severity: warning}
  annotations:
    summary: {{ printf "Provider %s is not ready" $provider | quote }}
    description: {{ printf "It has been so for %s, with reason %s. Sessions that live run on; nothing new is created." $t.providerNotReady $reason | quote }}
- alert: QosProviderErrors
  expr: |-
    sum by (provider) (rate(qos_operator_provider_calls_total{outcome=~"Unavailable|Ambiguous|Unparseable|GatewayNotFound|RefusedCredentials"}[15m]))
      / sum by (provider) (rate(qos_operator_provider_calls_total[15m])) > {{ $t.providerErrorRatio }}
  for: 15m
  labels: {severity: warning}
  annotations:
    summary: {{ printf "Calls of provider %s fail" $provider | quote }}
    description: {{ printf "%s of the calls had no answer, or none that can be used." $value | quote }}
- alert: QosProviderSlow
  expr: |-
    histogram_quantile(0.95, sum by (provider, le) (rate(qos_operator_provider_call_duration_seconds_bucket[15m])))
      > {{ $t.providerLatencySeconds }}
  for: 15m
  labels: {severity: warning}
  annotations:
    summary: {{ printf "Provider %s is slow" $provider | quote }}
    description: {{ printf "One call in twenty takes more than %s s." $value | quote }}
- alert: QosProviderNotificationsMissing
  expr: max by (provider) (qos_operator_provider_notifications_missing) == 1
  for: 15m
  labels: {severity: warning}
  annotations:
    summary: {{ printf "Notifications of provider %s do not arrive" $provider | quote }}
    description: Its sessions changed and no notification told it. Sessions are polled at the short period instead, which costs calls.
- alert: QosProviderBudget
  expr: |-
    (qos_operator_provider_budget_sessions / qos_operator_provider_budget_sessions_limit > 0.9)
      or (qos_operator_provider_budget_session_seconds / qos_operator_provider_budget_session_seconds_limit > 0.9)
  for: 5m
  labels: {severity: warning}
  annotations:
    summary: {{ printf "The budget of provider %s is nearly spent" $provider | quote }}
    description: More than nine tenths are used. When all is, no session is created or renewed there.
- alert: QosSessionRenewalFailing
  expr: sum by (provider) (qos_operator_sessions{reason="RenewalFailing"}) > 0
  for: 5m
  labels: {severity: critical}
  annotations:
    summary: {{ printf "Sessions at provider %s are not renewed" $provider | quote }}
    description: {{ printf "%s sessions run and their renewal does not succeed: they end at their expiresAt." $value | quote }}
- alert: QosSessionAboutToEnd
  expr: min by (provider) (qos_operator_session_next_expiry_timestamp_seconds{renewal_policy="Always"}) - time() < 20
  for: 1m
  labels: {severity: critical}
  annotations:
    summary: {{ printf "A session at provider %s was not renewed in time" $provider | quote }}
    description: A session that is to be kept has less than 20 s left, or has run out, for a minute.
- alert: QosSessionRefused
  expr: |-
    sum by (provider, reason) (qos_operator_sessions{ready="False", reason=~"InvalidSpec|NamespaceNotAllowed|ProfileUnavailable|DurationOutOfRange|DeviceNotFound|IdentifierRejected|CredentialsRejected|ConsentDenied|AdmissionDenied"}) > 0
  for: 15m
  labels: {severity: info}
  annotations:
    summary: {{ printf "Sessions are refused: %s" $reason | quote }}
    description: {{ printf "%s QosSessions wait for somebody to change their spec, a right or a policy." $value | quote }}
- alert: QosSessionWaiting
  expr: |-
    sum by (provider, reason) (qos_operator_sessions{ready="False", reason=~"Requested|DeviceBusy|BudgetExceeded|QuotaExceeded|ProviderNotFound|SecretNotFound|ConsentPending|NetworkTerminated|Vanished|Renewing|Updating|Releasing|ProviderError|ProviderUnreachable"}) > 0
  for: {{ $t.sessionWaiting }}
  labels: {severity: warning}
  annotations:
    summary: {{ printf "Sessions wait: %s" $reason | quote }}
    description: {{ printf "For %s there have been QosSessions that wait for what was to come by itself." $t.sessionWaiting | quote }}
- alert: QosSessionOutcomeUnknown
  expr: sum by (provider) (qos_operator_sessions{reason="OutcomeUnknown"}) > 0
  for: 15m
  labels: {severity: warning}
  annotations:
    summary: {{ printf "It is not known whether sessions exist at provider %s" $provider | quote }}
    description: {{ printf "The answers to %s creates were lost, and it has not been found out for 15 minutes what became of them." $value | quote }}
- alert: QosSessionReleaseBlocked
  expr: sum by (provider) (qos_operator_sessions{reason="ReleaseBlocked"}) > 0
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: {{ printf "Sessions cannot be released at provider %s" $provider | quote }}
    description: {{ printf "%s deleted QosSessions wait for the provider's word; the sessions are paid meanwhile." $value | quote }}
{{- end }}
