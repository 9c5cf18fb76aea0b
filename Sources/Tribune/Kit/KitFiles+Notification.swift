/// Channels, escalation, and who may do what.
extension KitFiles {
    /// The receivers of the platform, in the order of their severity.
    static let channels = [
        "pagerduty", "slack_critical", "email_oncall", "slack_alerts", "email_team", "slack_monitoring",
        "email_daily_digest", "team_lead", "engineering_manager", "director_engineering",
    ]

    /// One receiver for each channel of the platform, and one that opens pages by the severity.
    var alertmanager: String {
        let receivers = Self.channels.map { channel in
            if channel == "pagerduty" {
                return """
                    - name: \(channel)
                      pagerduty_configs:
                      - {routing_key: \(DemoPager.routingKey), url: 'http://127.0.0.1:\(ports.pager)/v2/enqueue'}
                    """
            }
            if channel.hasPrefix("slack_") {
                return """
                    - name: \(channel)
                      slack_configs:
                      - {api_url: 'http://127.0.0.1:\(ports.control)/received/\(channel)', channel: '#\(channel)'}
                    """
            }
            if channel.hasPrefix("email_") {
                return """
                    - name: \(channel)
                      email_configs:
                      - {to: '\(channel)@acgs.example', from: 'tribune@acgs.example', smarthost: '127.0.0.1:\(ports.mail)', require_tls: false}
                    """
            }
            return """
                - name: \(channel)
                  webhook_configs:
                  - {url: 'http://127.0.0.1:\(ports.control)/received/\(channel)'}
                """
        }
        return """
            route:
              receiver: on-call
              group_by: [alertname, service, env, plan]
              group_wait: 0s
              group_interval: 30s
              repeat_interval: 4h
            receivers:
            - name: on-call
            \(receivers.joined(separator: "\n"))

            """
    }

    /// The severities of the platform with their channels, and its escalation after 5, 15 and 30 minutes.
    var onCall: String {
        """
        people:
        - name: ada
          contacts: [{receiver: team_lead}]
        - name: bob
          contacts: [{receiver: team_lead}]
        schedules:
        - name: primary
          layers:
          - {people: [ada, bob], turn: 1w, from: "2024-07-01 09:00"}
        policies:
        - name: critical
          steps:
          - {notify: [{receiver: pagerduty}, {receiver: slack_critical}, {receiver: email_oncall}]}
          - {after: 5m, notify: [{schedule: primary}]}
          - {after: 15m, notify: [{receiver: engineering_manager}]}
          - {after: 30m, notify: [{receiver: director_engineering}]}
        - name: high
          steps:
          - {notify: [{receiver: slack_alerts}, {receiver: email_team}]}
          - {after: 5m, notify: [{schedule: primary}]}
          - {after: 15m, notify: [{receiver: engineering_manager}]}
          - {after: 30m, notify: [{receiver: director_engineering}]}
        - name: medium
          expects_answer: false
          steps: [{notify: [{receiver: slack_monitoring}, {digest: daily}]}]
        receivers:
        - {name: on-call, policy: high, by_severity: {critical: critical, medium: medium, warning: medium}}
        digests:
        - {name: daily, receiver: email_daily_digest, at: "09:00", time_zone: UTC}

        """
    }
}
