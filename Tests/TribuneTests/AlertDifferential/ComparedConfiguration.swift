/// The `alertmanager.yml` of both notifiers, in two versions.
enum ComparedConfiguration {
    private static let head = """
        global:
          resolve_timeout: 5m
          slack_api_url: HOOK/slack
          pagerduty_url: HOOK/pagerduty
          opsgenie_api_url: HOOK/opsgenie/
          opsgenie_api_key: opsgenie-key
          victorops_api_url: HOOK/victorops/
          victorops_api_key: victorops-key
          wechat_api_url: HOOK/wechat/
          wechat_api_corp_id: corporation
          wechat_api_secret: secret
          telegram_api_url: HOOK/telegram
        time_intervals:
        - name: always
          time_intervals: [{times: [{start_time: '00:00', end_time: '24:00'}]}]
        - name: never
          time_intervals: [{years: ['1999']}]

        """

    private static let receivers = """
        receivers:
        - name: hook
          webhook_configs:
          - {url: HOOK/hook/all}
          - {url: HOOK/hook/two, max_alerts: 2, http_config: {basic_auth: {username: u, password: p}}}
        - name: each
          webhook_configs: [{url: HOOK/hook/each}]
        - name: once
          webhook_configs: [{url: HOOK/hook/once, send_resolved: false}, {url: HOOK/hook/both}]
        - name: never
          webhook_configs: [{url: HOOK/hook/never}]
        - name: chats
          slack_configs:
          - channel: '#{{ .GroupLabels.alertname | toLower }}'
            send_resolved: true
            fields: [{title: Instances, value: '{{ range .Alerts }}{{ .Labels.instance }} {{ end }}', short: true}]
            actions: [{type: button, text: 'Runbook {{ .Status }}', url: 'https://runbooks.example/{{ .GroupLabels.alertname }}'}]
          discord_configs: [{webhook_url: HOOK/discord/x}]
          webex_configs:
          - {room_id: room, api_url: HOOK/webex, http_config: {authorization: {credentials: webex-token}}}
          telegram_configs: [{chat_id: -7, bot_token: telegram-token, parse_mode: HTML}]
          wechat_configs: [{to_user: '@all', agent_id: '7', send_resolved: true}]
        - name: PAGERS
          pagerduty_configs:
          - routing_key: key
            severity: '{{ .CommonLabels.severity }}'
            class: '{{ .CommonLabels.team }}'
            component: '{{ .CommonAnnotations.summary }}'
            images: [{src: 'https://graphs.example/{{ .GroupLabels.alertname }}.png', alt: graph}]
            links: [{href: 'https://runbooks.example', text: '{{ .Status }}'}]
            details: {world: '{{ .CommonLabels.world }}'}
          opsgenie_configs:
          - source: '{{ .CommonLabels.world }}'
            priority: P2
            tags: '{{ .CommonLabels.team }},b'
            responders: [{name: '{{ .CommonLabels.team }}', type: team}]
          victorops_configs: [{routing_key: 'team-{{ .CommonLabels.team }}', custom_fields: {extra: '{{ .Status }}'}}]
          sns_configs:
          - api_url: HOOK/sns
            topic_arn: arn:aws:sns:eu-west-1:1:x
            sigv4: {region: eu-west-1, access_key: a, secret_key: s}

        """

    private static let inhibition = """
        inhibit_rules:
        - source_matchers: [severity="critical"]
          target_matchers: [severity="warning"]
          equal: [world, team, instance]

        """

    /// The first version.
    static let before =
        head + receivers.replacing("PAGERS", with: "pagers") + inhibition + """
            route:
              receiver: hook
              group_by: [world, alertname]
              group_wait: 1s
              group_interval: 1s
              repeat_interval: 1h
              routes:
              - {matchers: [team="db"], receiver: chats, continue: true}
              - {matchers: [team="db", severity="critical"], receiver: pagers, group_by: [world, instance], continue: true}
              - {matchers: [team="db"], receiver: each, group_by: ['...']}
              - {matchers: [team="once"], receiver: once, active_time_intervals: [always]}
              - matchers: [team="quiet"]
                receiver: never
                mute_time_intervals: [always]
                continue: true
              - {match_re: {team: qui.*}, receiver: each, mute_time_intervals: [never], group_by: [world, severity]}

            """

    /// The second version: a receiver is renamed, a route is removed, one has more grouping labels, one is new, and
    /// there is no inhibition.
    static let after =
        head + receivers.replacing("PAGERS", with: "pagers-renamed") + """
            route:
              receiver: hook
              group_by: [world, alertname]
              group_wait: 1s
              group_interval: 1s
              repeat_interval: 1h
              routes:
              - {matchers: [team="db"], receiver: chats, continue: true}
              - matchers: [team="db", severity="critical"]
                receiver: pagers-renamed
                group_by: [world, instance]
                continue: true
              - {matchers: [team="db"], receiver: each, group_by: [world, alertname, severity]}
              - {matchers: [team="once"], receiver: once}
              - {matchers: [team="web", severity=~"crit.*"], receiver: pagers-renamed}

            """
}
