{{- define "lattice-controller.name" -}}
{{- default "gateway-api-controller" .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "lattice-controller.fullname" -}}
{{- default "gateway-api-controller" .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "lattice-controller.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "lattice-controller.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "lattice-controller.selectorLabels" -}}
app.kubernetes.io/name: {{ include "lattice-controller.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "lattice-controller.labels" -}}
{{ include "lattice-controller.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* A number in a values file is a float, and has lost its leading zeros. */ -}}
{{- define "lattice-controller.account" -}}
{{- $account := default "" .Values.awsAccountId -}}
{{- if kindIs "string" $account }}{{ $account }}{{ else }}{{ printf "%012d" (int64 $account) }}{{ end -}}
{{- end -}}

{{- /* The controller's settings by the names of its environment variables; what is empty or false is left out. */ -}}
{{- define "lattice-controller.settings" -}}
{{- if eq (toString .Values.enableServiceNetworkOverride) "true" }}
{{- fail "enableServiceNetworkOverride: this version cannot put all routes into the service network defaultServiceNetwork, and would move them to the networks that their Gateways name; take it out if they are to be there" }}
{{- end }}
CLUSTER_NAME: {{ required "clusterName has to be set: the name of this cluster, as in the owner tag" .Values.clusterName | quote }}
CLUSTER_VPC_ID: {{ required "clusterVpcId has to be set: the id of the cluster's VPC" .Values.clusterVpcId | quote }}
AWS_ACCOUNT_ID: {{ include "lattice-controller.account" . | quote }}
REGION: {{ .Values.awsRegion | default "" | toString | quote }}
LATTICE_ENDPOINT: {{ .Values.latticeEndpoint | default "" | toString | quote }}
DISABLE_TAGGING_SERVICE_API: {{ .Values.disableTaggingServiceApi | default "" | toString | quote }}
PROTECT_FROM_DELETION: {{ .Values.protectFromDeletion | default "" | toString | quote }}
IMPORT_CERTIFICATES: {{ .Values.importCertificates | default "" | toString | quote }}
TAKE_OVER_RELEASE: {{ .Values.takeOverRelease | default "" | toString | quote }}
ROUTE_MAX_CONCURRENT_RECONCILES: {{ .Values.routeMaxConcurrentReconciles | default "" | toString | quote }}
RECONCILE_DEFAULT_RESYNC_SECONDS: {{ .Values.reconcileDefaultResyncSeconds | default "" | toString | quote }}
LOG_LEVEL: {{ .Values.log.level | default "" | toString | quote }}
DEFAULT_SERVICE_NETWORK: {{ .Values.defaultServiceNetwork | default "" | toString | quote }}
WEBHOOK_ENABLED: {{ .Values.webhookEnabled | default "" | toString | quote }}
{{- end -}}

{{- /*
The values that mean nothing here, one a line. A values file of the AWS Gateway API Controller's chart may have any, for
that chart refuses none; they are told, not refused. A name that is one of ours but for capitals is a slip, and is.
*/ -}}
{{- define "lattice-controller.ignored" -}}
{{- $known := list
    "image" "clusterName" "clusterVpcId" "awsAccountId" "awsRegion" "latticeEndpoint"
    "disableTaggingServiceApi" "protectFromDeletion" "importCertificates" "takeOverRelease" "routeMaxConcurrentReconciles"
    "reconcileDefaultResyncSeconds" "log" "extraEnv" "defaultServiceNetwork" "enableServiceNetworkOverride"
    "webhookEnabled" "webhookTLS" "nameOverride" "fullnameOverride" "serviceAccount" "deployment"
    "resources" "pdb" "networkPolicy" "role" "installScope" "metrics" "serviceMonitor" "prometheusRule"
    "gatewayClass" "global" }}
{{- range $name, $value := .Values }}
{{- if not (has $name $known) }}
{{- range $known }}
{{- if eq (lower .) (lower $name) }}{{ fail (printf "%s: there is no such value; it is written %s" $name .) }}{{ end }}
{{- end }}
{{- if not (kindIs "invalid" $value) }}
{{ $name }}
{{- end }}
{{- end }}
{{- end }}
{{- range list "defaultServiceNetwork" "webhookEnabled" }}
{{- if not (has (toString (default "" (get $.Values .))) (list "" "false")) }}
{{ . }}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.webhookTLS }}
{{- if $value }}
webhookTLS.{{ $name }}
{{- end }}
{{- end }}
{{- end -}}
