import Testing
import YAML

@testable import Scraper

@Suite struct SecretMaskTests {
    @Test func noSecretIsShownAndEverythingElseIs() throws {
        let text = """
            global: {scrape_interval: 15s, external_labels: {cluster: "e\\"u: 1"}}   # comment
            alerting:
              alertmanagers:
              - basic_auth: {username: me, password: hunter2}
                static_configs: [{targets: ['am:9093']}]
            scrape_configs:
            - job_name: a
              authorization: {credentials: hunter2, type: Bearer}
              proxy_url: http://user:hunter2@proxy:3128/x
              http_headers: {X-Key: {values: [hunter2], secrets: ["hunter2"], files: [/run/key]}}
              tls_config: {key: "hunter2\\nhunter2", cert: c, key_file: ""}
            - job_name: 'b'
              bearer_token: |
                hunter2
            - job_name: c
              basic_auth: {password_file: /run/password}
              params: {'match[]': ['{job="x"}'], empty: []}
            """
        let configuration = try PrometheusConfiguration(
            parsing: Array(text.replacing(", key_file: \"\"", with: "").utf8), file: "p.yml")
        #expect(
            configuration.shownText == """
                global:
                  scrape_interval: 15s
                  external_labels:
                    cluster: "e\\"u: 1"
                alerting:
                  alertmanagers:
                    - basic_auth:
                        username: me
                        password: <secret>
                      static_configs:
                        - targets:
                            - "am:9093"
                scrape_configs:
                  - job_name: a
                    authorization:
                      credentials: <secret>
                      type: Bearer
                    proxy_url: http://user:xxxxx@proxy:3128/x
                    http_headers:
                      X-Key:
                        values:
                          - <secret>
                        secrets:
                          - <secret>
                        files:
                          - /run/key
                    tls_config:
                      key: <secret>
                      cert: c
                  - job_name: "b"
                    bearer_token: <secret>
                  - job_name: c
                    basic_auth:
                      password_file: /run/password
                    params:
                      "match[]":
                        - "{job=\\"x\\"}"
                      empty: []

                """)
        #expect(!configuration.shownText.contains("hunter2"))
    }

    @Test func whatIsShownReadsAsTheSameConfiguration() throws {
        let text = """
            rule_files: ["a b.yml", '#1', "no\\t\\u0001tab", null, ~, "true", true, "", 1e3, "- x", "é\\u2028"]
            scrape_configs: [{job_name: x, static_configs: [{targets: [], labels: {}}]}, [[], [1, [2]]], {}]
            """
        let node = try #require(try YAML.parse(text, file: "p.yml").first)
        func contents(_ node: YAMLNode) -> YAMLNode {
            var node = node
            (node.line, node.column) = (0, 0)
            switch node.content {
            case .scalar: if node.isNull { node.content = .scalar("null", isPlain: true) }
            case .sequence(let elements): node.content = .sequence(elements.map { contents($0) })
            case .mapping(let members):
                node.content = .mapping(
                    members.map { YAMLNode.Member(key: contents($0.key), value: contents($0.value)) })
            }
            return node
        }
        let again = try #require(try YAML.parse(node.blockText, file: "p.yml").first)
        #expect(contents(again) == contents(node))
    }
}
