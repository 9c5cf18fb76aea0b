import CurlHTTP
import Foundation
import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// A marker stands in every field that holds a secret, and must appear nowhere that the service shows or stores.
@Suite struct SecretMarkerTests {
    private static let marker = "Mark3rOfASecret"

    /// HTTP client settings with every kind of secret.
    private static func http(_ more: String = "") -> String {
        "basic_auth: {username: u, password: \(marker)}, http_headers: {X-Key: {secrets: [\(marker)]}}\(more)"
    }

    private static let alertmanager = """
        global:
          smtp_smarthost: 127.0.0.1:9
          smtp_from: a@example.org
          smtp_require_tls: false
          smtp_auth_username: u
          smtp_auth_password: \(marker)
          slack_api_url: http://127.0.0.1:9/\(marker)
          opsgenie_api_key: \(marker)
          victorops_api_key: \(marker)
          telegram_bot_token: "\(marker)"
          wechat_api_secret: \(marker)
          wechat_api_corp_id: corp
          rocketchat_token: \(marker)
          rocketchat_token_id: \(marker)
          mattermost_webhook_url: http://127.0.0.1:9/\(marker)
          http_config: {authorization: {credentials: \(marker)}}
        route: {receiver: all, group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
        receivers:
        - name: all
          webhook_configs:
          - url: http://127.0.0.1:9/\(marker)
          - url: http://user:\(marker)@127.0.0.1:9/
          - {url: "http://127.0.0.1:9/", http_config: {\(http())}}
          - url: http://127.0.0.1:9/
            http_config: {oauth2: {client_id: c, client_secret: \(marker), token_url: "http://127.0.0.1:9/token"}}
          email_configs: [{to: x@example.org, auth_username: u, auth_password: \(marker)}]
          pagerduty_configs: [{routing_key: \(marker), url: "http://127.0.0.1:9/"}, {service_key: \(marker), url: "http://127.0.0.1:9/"}]
          opsgenie_configs: [{api_url: "http://127.0.0.1:9/", api_key: \(marker)}]
          wechat_configs: [{api_url: "http://127.0.0.1:9/", api_secret: \(marker), to_user: x}]
          slack_configs: [{channel: c}, {channel: c, api_url: "http://127.0.0.1:9/\(marker)"}]
          victorops_configs: [{api_url: "http://127.0.0.1:9/", api_key: \(marker), routing_key: r}]
          pushover_configs: [{user_key: \(marker), token: \(marker), http_config: {proxy_url: "http://127.0.0.1:9"}}]
          sns_configs:
          - api_url: http://127.0.0.1:9/
            topic_arn: arn:aws:sns:us-east-2:698519295917:My-Topic
            sigv4: {region: us-east-2, access_key: a, secret_key: \(marker)}
          telegram_configs: [{api_url: "http://127.0.0.1:9", chat_id: 1, bot_token: "\(marker)"}]
          discord_configs: [{webhook_url: "http://127.0.0.1:9/\(marker)"}]
          webex_configs:
          - {api_url: "http://127.0.0.1:9/", room_id: r, http_config: {authorization: {credentials: \(marker)}}}
          msteams_configs: [{webhook_url: "http://127.0.0.1:9/\(marker)"}]
          msteamsv2_configs: [{webhook_url: "http://127.0.0.1:9/\(marker)"}]
          rocketchat_configs: [{api_url: "http://127.0.0.1:9/", channel: c, token: \(marker), token_id: \(marker)}]
          mattermost_configs: [{webhook_url: "http://127.0.0.1:9/\(marker)"}]
          incidentio_configs: [{url: "http://127.0.0.1:9/", alert_source_token: \(marker), http_config: {follow_redirects: true}}]
        """

    private static let prometheus = """
        global: {scrape_interval: 1s, evaluation_interval: 1s}
        rule_files: [rules.yml]
        alerting:
          alertmanagers: [{static_configs: [{targets: ["127.0.0.1:9"]}], basic_auth: {username: u, password: \(marker)}}]
        scrape_configs:
        - {job_name: basic, \(http()), static_configs: [{targets: ["127.0.0.1:9"]}]}
        - {job_name: bearer, authorization: {credentials: \(marker)}, static_configs: [{targets: ["127.0.0.1:9"]}]}
        - job_name: oauth
          oauth2: {client_id: c, client_secret: \(marker), token_url: "http://127.0.0.1:9/token"}
          static_configs: [{targets: ["127.0.0.1:9"]}]
        - job_name: proxy
          proxy_url: http://u:\(marker)@127.0.0.1:9
          static_configs: [{targets: ["127.0.0.1:9"]}]
        - job_name: discovered
          http_sd_configs: [{url: "http://u:\(marker)@127.0.0.1:9/", \(http())}]
        - job_name: consul
          consul_sd_configs: [{server: "127.0.0.1:9", token: \(marker)}]
        - job_name: kubernetes
          kubernetes_sd_configs: [{role: pod, api_server: "http://127.0.0.1:9", \(http())}]
        - job_name: ec2
          ec2_sd_configs: [{region: r, endpoint: "http://127.0.0.1:9", access_key: a, secret_key: \(marker)}]
        remote_write: [{url: "http://127.0.0.1:9/", \(http())}]
        """

    private static let files = [
        "prometheus.yml": prometheus, "alertmanager.yml": alertmanager,
        "rules.yml": "groups: [{name: g, rules: [{alert: Always, expr: vector(1)}]}]\n",
        "access.yml": """
        issuers:
        - issuer: http://127.0.0.1:9
          audience: [tribune]
          roles: [observer]
          login: {client_id: c, client_secret_file: secret}
        """,
        "secret": "\(marker)\n",
        "plan.yml": """
        plan: shop
        stages: [100]
        bake: 1h
        settle: 0s
        services:
        - name: web
          routes:
          - webhook:
              url: http://127.0.0.1:9/
              read: http://127.0.0.1:9/read
              headers: {Authorization: "Bearer \(marker)", X-Api-Key: \(marker)}
        """,
        "tribune.yml": """
        prometheus_config: prometheus.yml
        alertmanager_config: alertmanager.yml
        access_config: access.yml
        plans: [plan.yml]
        history: {redis: {address: "127.0.0.1:9", password_file: secret}}
        gates: {token_file: secret, executor: {url: "http://127.0.0.1:9/", token_file: secret}}
        """,
    ]

    /// The paths of the API without parameters.
    private func paths(_ tribune: RunningTribune) throws -> [String] {
        let document = try JSON(parsing: tribune.get("/api/v1/openapi.json").body)
        return (document["paths"]?.members ?? []).map(\.name).filter { !$0.contains("{") && !$0.hasSuffix("/stream") }
    }

    /// The files below `directory` that contain the marker.
    private func leaks(_ directory: String) throws -> [String] {
        let found = try TribuneProgram.run(program: ["grep", "-rlaF", Self.marker, directory])
        return found.output.split(separator: "\n").map(String.init)
    }

    @Test func noSecretIsShownLoggedOrStored() throws {
        let tribune = try RunningTribune(Self.files, flags: ["--log.level=debug"])
        let kinds = 17
        // Every receiver has failed at least once, and every discovery, target and router too.
        #expect(
            Loopback.eventually {
                let text = (try? tribune.get("/metrics").body).map { String(decoding: $0, as: UTF8.self) } ?? ""
                let counts = text.split(separator: "\n").filter { $0.hasPrefix("tribune_notifications_failed_total{") }
                return counts.count { !$0.hasSuffix(" 0") } >= kinds
            }, "\(tribune.log.suffix(4000))")
        tribune.process.signal(SIGHUP)
        #expect(Loopback.eventually { tribune.log.contains("configuration reloaded") })
        var asked = 0
        for path in try paths(tribune) {
            var request = HTTPRequest(url: "http://127.0.0.1:\(tribune.port)\(path)")
            if let token = tribune.localToken { request.authorize(credentials: token) }
            request.timeoutMilliseconds = 10_000
            guard let response = try? HTTPClient().send(request) else { continue }  // an event stream does not end
            asked += response.status == 200 ? 1 : 0
            #expect(!String(decoding: response.body, as: UTF8.self).contains(Self.marker), "\(path)")
        }
        #expect(asked > 30)
        #expect(
            !tribune.log.contains(Self.marker),
            "\(tribune.log.split(separator: "\n").filter { $0.contains(Self.marker) })")
        tribune.process.stop(graceMilliseconds: 20_000)
        #expect(try leaks(tribune.directory.file("data")) == [])
    }

    @Test(arguments: [
        ("alertmanager.yml", "opsgenie_api_key: ", "opsgenie_api_key: [a, b], x: "),
        ("alertmanager.yml", "global:", "globl:"),
        ("prometheus.yml", "authorization: {credentials: ", "authorization: {credentials: {a: b}, type: "),
        ("plan.yml", "X-Api-Key: ", "'X Api Key': "),
    ]) func errorsDoNotQuoteSecrets(file: String, text: String, broken: String) throws {
        let directory = TemporaryDirectory()
        for (name, content) in Self.files {
            var content = content
            if name == file {
                #expect(content.contains(text))
                let isQuoted = broken.filter { $0 == "'" }.count % 2 == 1
                content = content.split(separator: "\n", omittingEmptySubsequences: false).map { line in
                    guard line.contains(text) else { return String(line) }
                    return line.replacing(text, with: broken) + (isQuoted ? "'" : "")
                }.joined(separator: "\n")
            }
            directory.write(content, to: name)
        }
        let result = try TribuneProgram.run(["check", "config", directory.file("tribune.yml")])
        #expect(result.exit != .code(0), "\(result.output)")
        #expect(!(result.output + result.errors).contains(Self.marker), "\(result.errors)")
    }
}
