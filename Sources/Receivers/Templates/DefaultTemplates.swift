/// The built-in templates. Their names and output are Alertmanager's, except for the HTML of mails.
enum DefaultTemplates {
    static let text = common + plain + chat + jira + mail

    private static let common = #"""
        {{ define "__alertmanager" }}Alertmanager{{ end }}
        {{ define "__alertmanagerURL" }}{{ .ExternalURL }}/#/alerts?receiver={{ .Receiver | urlquery }}{{ end }}
        {{ define "__description" }}{{ end }}
        {{ define "__count" }}{{ if eq .Status "firing" }}:{{ len .Alerts.Firing }}{{ end }}{{ end }}
        {{ define "__others" -}}
        {{ if gt (len .CommonLabels) (len .GroupLabels) -}}
        ({{ with .CommonLabels.Remove .GroupLabels.Names }}{{ join " " .Values }}{{ end }})
        {{- end }}{{ end }}
        {{ define "__subject" -}}
        [{{ toUpper .Status }}{{ template "__count" . }}] {{ join " " .GroupLabels.SortedPairs.Values }} {{ template "__others" . }}
        {{- end }}
        {{ define "__pairs" }}{{ range .SortedPairs }} - {{ .Name }} = {{ .Value }}{{ "\n" }}{{ end }}{{ end }}
        {{ define "__text_alert_list" }}{{ range . -}}
        Labels:{{ "\n" }}{{ template "__pairs" .Labels -}}
        Annotations:{{ "\n" }}{{ template "__pairs" .Annotations -}}
        Source: {{ .GeneratorURL }}{{ "\n" }}
        {{- end }}{{ end }}
        {{ define "__markdown_pairs" }}{{ range .SortedPairs }}{{ "  " }}- {{ .Name }} = {{ .Value }}{{ "\n" }}{{ end }}{{ end }}
        {{ define "__text_alert_list_markdown" }}{{ range . -}}
        {{ "\n" }}Labels:{{ "\n" }}{{ template "__markdown_pairs" .Labels -}}
        {{ "\n" }}Annotations:{{ "\n" }}{{ template "__markdown_pairs" .Annotations -}}
        {{ "\n" }}Source: {{ .GeneratorURL }}{{ "\n" }}
        {{- end }}{{ "\n" }}{{ end }}
        {{ define "__annotations" }}{{ join " " .CommonAnnotations.SortedPairs.Values }}{{ end }}

        {{ define "__tight" -}}
        {{ with .Alerts.Firing }}Alerts Firing:{{ "\n" }}{{ template "__text_alert_list" . }}{{ end }}{{ "\n" -}}
        {{ with .Alerts.Resolved }}Alerts Resolved:{{ "\n" }}{{ template "__text_alert_list" . }}{{ end }}
        {{- end }}
        {{ define "__loose" -}}
        {{ with .Alerts.Firing }}{{ "\n" }}Alerts Firing:{{ "\n" }}{{ template "__text_alert_list" . }}{{ "\n" }}{{ end }}{{ "\n" -}}
        {{ with .Alerts.Resolved }}{{ "\n" }}Alerts Resolved:{{ "\n" }}{{ template "__text_alert_list" . }}{{ "\n" }}{{ end }}{{ "\n" }}
        {{- end }}
        {{ define "__markdown" -}}
        {{ "\n" }}{{ with .Alerts.Firing }}{{ "\n" }}# Alerts Firing:{{ "\n" }}{{ template "__text_alert_list_markdown" . }}{{ "\n" }}{{ end }}{{ "\n" -}}
        {{ with .Alerts.Resolved }}{{ "\n" }}# Alerts Resolved:{{ "\n" }}{{ template "__text_alert_list_markdown" . }}{{ "\n" }}{{ end }}{{ "\n" }}
        {{- end }}
        {{ define "__annotated" }}{{ template "__annotations" . }}{{ "\n" }}{{ end }}
        {{ define "__color" }}{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}{{ end }}

        """#

    private static let plain = #"""
        {{ define "pagerduty.default.description" }}{{ template "__subject" . }}{{ end }}
        {{ define "pagerduty.default.client" }}{{ template "__alertmanager" . }}{{ end }}
        {{ define "pagerduty.default.clientURL" }}{{ template "__alertmanagerURL" . }}{{ end }}
        {{ define "pagerduty.default.instances" }}{{ template "__text_alert_list" . }}{{ end }}
        {{ define "opsgenie.default.message" }}{{ template "__subject" . }}{{ end }}
        {{ define "opsgenie.default.description" }}{{ template "__annotated" . }}{{ template "__tight" . }}{{ end }}
        {{ define "opsgenie.default.source" }}{{ template "__alertmanagerURL" . }}{{ end }}
        {{ define "victorops.default.state_message" }}{{ template "__annotated" . }}{{ template "__tight" . }}{{ end }}
        {{ define "victorops.default.entity_display_name" }}{{ template "__subject" . }}{{ end }}
        {{ define "victorops.default.monitoring_tool" }}{{ template "__alertmanager" . }}{{ end }}
        {{ define "pushover.default.title" }}{{ template "__subject" . }}{{ end }}
        {{ define "pushover.default.message" }}{{ template "__annotated" . }}{{ template "__loose" . }}{{ end }}
        {{ define "pushover.default.url" }}{{ template "__alertmanagerURL" . }}{{ end }}
        {{ define "sns.default.subject" }}{{ template "__subject" . }}{{ end }}
        {{ define "sns.default.message" }}{{ template "__annotated" . }}{{ template "__loose" . }}{{ end }}
        {{ define "wechat.default.message" -}}
        {{ template "__subject" . }}{{ "\n" }}{{ template "__annotated" . }}{{ template "__tight" . }}{{ "\n" -}}
        AlertmanagerUrl:{{ "\n" }}{{ template "__alertmanagerURL" . }}
        {{- end }}
        {{ define "wechat.default.to_user" }}{{ end }}
        {{ define "wechat.default.to_party" }}{{ end }}
        {{ define "wechat.default.to_tag" }}{{ end }}
        {{ define "wechat.default.agent_id" }}{{ end }}

        """#

    private static let chat = #"""
        {{ define "slack.default.title" }}{{ template "__subject" . }}{{ end }}
        {{ define "slack.default.username" }}{{ template "__alertmanager" . }}{{ end }}
        {{ define "slack.default.fallback" }}{{ template "slack.default.title" . }} | {{ template "slack.default.titlelink" . }}{{ end }}
        {{ define "slack.default.callbackid" }}{{ end }}
        {{ define "slack.default.pretext" }}{{ end }}
        {{ define "slack.default.titlelink" }}{{ template "__alertmanagerURL" . }}{{ end }}
        {{ define "slack.default.iconemoji" }}{{ end }}
        {{ define "slack.default.iconurl" }}{{ end }}
        {{ define "slack.default.text" }}{{ end }}
        {{ define "slack.default.footer" }}{{ end }}
        {{ define "slack.default.color" }}{{ template "__color" . }}{{ end }}
        {{ define "telegram.default.message" }}{{ "\n" }}{{ template "__loose" . }}{{ end }}
        {{ define "discord.default.content" }}{{ end }}
        {{ define "discord.default.title" }}{{ template "__subject" . }}{{ end }}
        {{ define "discord.default.message" }}{{ "\n" }}{{ template "__loose" . }}{{ end }}
        {{ define "webex.default.message" }}{{ template "__annotated" . }}{{ template "__loose" . }}{{ end }}
        {{ define "msteams.default.summary" }}{{ template "__subject" . }}{{ end }}
        {{ define "msteams.default.title" }}{{ template "__subject" . }}{{ end }}
        {{ define "msteams.default.text" }}{{ template "__markdown" . }}{{ end }}
        {{ define "msteamsv2.default.title" }}{{ template "__subject" . }}{{ end }}
        {{ define "msteamsv2.default.text" }}{{ template "__markdown" . }}{{ end }}
        {{ define "rocketchat.default.title" }}{{ template "__subject" . }}{{ end }}
        {{ define "rocketchat.default.alias" }}{{ template "__alertmanager" . }}{{ end }}
        {{ define "rocketchat.default.titlelink" }}{{ template "__alertmanagerURL" . }}{{ end }}
        {{ define "rocketchat.default.emoji" }}{{ end }}
        {{ define "rocketchat.default.iconurl" }}{{ end }}
        {{ define "rocketchat.default.text" }}{{ end }}
        {{ define "mattermost.default.username" }}{{ template "__alertmanager" . }}{{ end }}
        {{ define "mattermost.default.color" }}{{ template "__color" . }}{{ end }}
        {{ define "mattermost.default.text" }}{{ template "__markdown" . }}{{ end }}
        {{ define "mattermost.default.title" }}{{ template "__subject" . }}{{ end }}
        {{ define "mattermost.default.titlelink" }}{{ template "__alertmanagerURL" . }}{{ end }}
        {{ define "mattermost.default.fallback" }}{{ template "mattermost.default.title" . }} | {{ template "mattermost.default.titlelink" . }}{{ end }}
        {{ define "googlechat.default.message" }}{{ template "__subject" . }}{{ "\n" }}{{ template "__loose" . }}{{ template "__alertmanagerURL" . }}{{ end }}

        """#

    private static let jira = #"""
        {{ define "jira.default.summary" }}{{ template "__subject" . }}{{ end }}
        {{ define "jira.default.description" }}{{ template "__markdown" . }}{{ end }}
        {{ define "__jira_priority" -}}
        {{ $found := "" }}{{ range . }}{{ $severity := .Labels.severity -}}
        {{ if eq $severity "critical" }}{{ $found = "High" -}}
        {{ else if and (eq $severity "warning") (ne $found "High") }}{{ $found = "Medium" -}}
        {{ else if and (eq $severity "info") (eq $found "") }}{{ $found = "Low" }}{{ end }}{{ end }}{{ $found }}
        {{- end }}
        {{ define "jira.default.priority" -}}
        {{ $firing := false }}{{ range .Alerts.Firing }}{{ if match "^(critical|warning|info)$" .Labels.severity }}{{ $firing = true }}{{ end }}{{ end -}}
        {{ if $firing }}{{ template "__jira_priority" .Alerts.Firing }}{{ else }}{{ template "__jira_priority" .Alerts.Resolved }}{{ end }}
        {{- end }}

        """#

    private static let mail = #"""
        {{ define "email.default.subject" }}{{ template "__subject" . }}{{ end }}
        {{ define "__mail_pairs" }}{{ range .SortedPairs }}<tr><td style="padding-right: 12px; color: #555;">{{ .Name }}</td><td>{{ .Value }}</td></tr>
        {{ end }}{{ end }}
        {{ define "__mail_alerts" }}{{ range . }}
        <div style="margin: 0 0 16px; border-top: 1px solid #ddd; padding-top: 8px;">
        <strong>Labels</strong>
        <table>{{ template "__mail_pairs" .Labels }}</table>
        {{ if .Annotations }}<strong>Annotations</strong>
        <table>{{ template "__mail_pairs" .Annotations }}</table>
        {{ end }}{{ if .GeneratorURL }}<a href="{{ .GeneratorURL }}">Source</a>{{ end }}
        </div>{{ end }}{{ end }}
        {{ define "email.default.html" }}<!DOCTYPE html>
        <html>
        <head>
        <meta http-equiv="Content-Type" content="text/html; charset=UTF-8">
        <meta name="viewport" content="width=device-width">
        <title>{{ template "__subject" . }}</title>
        </head>
        <body style="margin: 0; padding: 16px; font-family: Helvetica, Arial, sans-serif; font-size: 14px;">
        <h2 style="color: {{ if .Alerts.Firing }}#b3261e{{ else }}#1d7a3a{{ end }};">
        {{ len .Alerts }} alert{{ if gt (len .Alerts) 1 }}s{{ end }} for{{ range .GroupLabels.SortedPairs }} {{ .Name }}={{ .Value }}{{ end }}
        </h2>
        <p><a href="{{ template "__alertmanagerURL" . }}">View in {{ template "__alertmanager" . }}</a></p>
        {{ if .Alerts.Firing }}<h3>[{{ len .Alerts.Firing }}] Firing</h3>{{ template "__mail_alerts" .Alerts.Firing }}{{ end }}
        {{ if .Alerts.Resolved }}<h3>[{{ len .Alerts.Resolved }}] Resolved</h3>{{ template "__mail_alerts" .Alerts.Resolved }}{{ end }}
        <p style="color: #777;"><a href="{{ .ExternalURL }}">Sent by {{ template "__alertmanager" . }}</a></p>
        </body>
        </html>
        {{ end }}
        """#
}
