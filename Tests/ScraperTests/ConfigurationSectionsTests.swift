import CurlHTTP
import MetricModel
import TestSupport
import Testing
import YAML

@testable import Scraper

/// Sections and fields beside jobs, and how errors are collected.
@Suite struct ConfigurationSectionsTests {
    private func errors(_ text: String) -> [String] {
        do throws(ConfigurationError) {
            _ = try PrometheusConfiguration(parsing: Array(text.utf8), file: "p.yml", requiresRuleFiles: true)
            return []
        } catch {
            return error.errors.map(\.description)
        }
    }

    private func parse(_ text: String) throws -> PrometheusConfiguration {
        try PrometheusConfiguration(parsing: Array(text.utf8), file: "p.yml")
    }

    @Test func everyFaultOfAFileIsReported() {
        let found = errors(
            """
            global: {scrape_interval: 5, foo: bar}
            rule_files: ['missing/*.yml', 'not-there.yml']
            scrape_configs:
            - {job_name: a, static_configs: [{targets: ['h:1']}]}
            - {job_name: a, static_configs: [{targets: ['h:2']}]}
            - job_name: b
              scrape_timeout: 10m
              honor_labels: maybe
              static_configs: [null, {targets: ['http://x/']}]
              tls_config: {min_version: SSL3, cert_file: c}
              relabel_configs: [{source_labels: [x], regex: '(', action: kep}, {modulus: x}]
              file_sd_configs: [{files: [x.txt]}, {}]
            remote_write: [{}, null]
            """)
        let wanted = [
            "p.yml:1:27: global.scrape_interval: not a valid duration string: \"5\"",
            "p.yml:1:30: global.foo: unknown field",
            "p.yml:5:3: scrape_configs[1].job_name: found multiple scrape configs",
            "p.yml:2:31: rule_files[1]: no file is called \"not-there.yml\"",
            "p.yml:7:19: scrape_configs[2].scrape_timeout: scrape timeout greater",
            "honor_labels: expected true or false", "static_configs[0]: empty or null section", "unknown TLS version",
            "relabel_configs[0].regex: invalid regular expression", "unknown relabel action \"kep\"",
            "relabel_configs[1].modulus: expected a whole number", "path name \"x.txt\" is not valid",
            "file service discovery config must contain at least one path name", "url for remote_write is empty",
            "empty or null remote write config section",
        ]
        for text in wanted { #expect(found.contains { $0.contains(text) }, "\(text) of \(found)") }
        #expect(Set(found).count == found.count)
        // With rules for labels a URL may become an address.
        #expect(!found.contains { $0.contains("http://x/") })
    }

    @Test(arguments: [
        ("${HOSTNAME}", "web-1"), ("$HOSTNAME.$ZONE", "web-1.a"), ("a$$b", "a$b"), ("${NONE}x", "x"), ("$", "$"),
        ("5$ ", "5$ "), ("${", ""), ("${}x", "x"), ("$9x", "x"), ("ü${ZONE}ü", "üaü"), ("${ZONE", "ZONE"),
    ])
    func variablesAreExpanded(text: String, expanded: String) {
        var expansion = EnvironmentExpansion { ["HOSTNAME": "web-1", "ZONE": "a"][$0] }
        #expect(expansion.expanded(text) == expanded)
    }

    @Test func externalLabelsWithoutValueAreLeftOut() throws {
        let configuration = try parse("global: {external_labels: {a: \"${TRIBUNE_TEST_NONE}\", b: \"x$$\"}}")
        #expect(configuration.externalLabels == ["b": "x$"])
        #expect(configuration.warnings.map(\.message) == ["the environment variable TRIBUNE_TEST_NONE is empty"])
    }

    @Test(arguments: [
        ("", "", "allow-utf-8"), ("metric_name_validation_scheme: legacy", "", "underscores"),
        ("metric_name_escaping_scheme: dots", "", "dots"),
        ("metric_name_escaping_scheme: dots", "metric_name_validation_scheme: utf8", "allow-utf-8"),
        ("", "metric_name_validation_scheme: legacy", "underscores"),
        ("metric_name_validation_scheme: legacy", "metric_name_escaping_scheme: values", "values"),
    ])
    func targetsAreAskedToEscapeNames(global: String, job: String, escaping: String) throws {
        let comma = job.isEmpty ? "" : ", "
        let configuration = try parse("global: {\(global)}\nscrape_configs: [{job_name: a\(comma)\(job)}]")
        let header = configuration.pools[0].acceptHeader(protobufFirst: false)
        #expect(header.contains("openmetrics-text;version=1.0.0;escaping=\(escaping);"), "\(header)")
    }

    @Test func allSectionsOfPrometheusAreRead() throws {
        let configuration = try parse(
            """
            runtime: {gogc: 75}
            storage:
              tsdb: {out_of_order_time_window: 30m, retention: {time: 30d, size: 5GB}}
              exemplars: {max_exemplars: 50000}
            otlp: {promote_resource_attributes: [a, b], translation_strategy: NoUTF8EscapingWithSuffixes}
            tracing: {endpoint: 'localhost:4317', client_type: grpc, sampling_fraction: 0.1, insecure: true}
            remote_write:
            - url: http://127.0.0.1:8428/api/v1/write
              name: long-term
              write_relabel_configs: [{source_labels: [__name__], regex: 'go_.*', action: drop}]
              basic_auth: {username: u, password_file: secret.txt}
              queue_config: {capacity: 2500, max_shards: 10, retry_on_http_429: true, max_backoff: 5s}
              metadata_config: {send: true, send_interval: 1m}
            - url: https://mimir.example/api/v1/push
              headers: {X-Scope-OrgID: shop}
              send_exemplars: true
              sigv4: {region: eu}
            remote_read: [{url: 'http://127.0.0.1:8428/api/v1/read', read_recent: false, required_matchers: {a: b}}]
            """)
        #expect(configuration.retention == Milliseconds.hours(24 * 30) && configuration.retentionBytes == 5 << 30)
        #expect(configuration.maximumExemplars == 50_000)
        #expect(configuration.remoteWrites.map(\.name) == ["long-term", ""])
        let first = try #require(configuration.remoteWrites.first)
        #expect((first.queue.capacity, first.queue.maximumShards, first.queue.minimumShards) == (2500, 10, 1))
        #expect(first.relabelRules.map(\.action) == [.drop] && first.queue.retriesWhenLimited)
        #expect(configuration.remoteWrites.last?.headers == ["X-Scope-OrgID": "shop"])
        #expect(configuration.remoteWrites.map { $0.signing == nil } == [true, false])
        #expect(configuration.remoteReads.first?.requiredMatchers == ["a": "b"])
        #expect(configuration.otlp.promoted == ["a", "b"])
        #expect(configuration.otlp.strategy == .noUTF8EscapingWithSuffixes)
        #expect(configuration.outOfOrderWindow == .minutes(30))
        #expect(configuration.warnings.map(\.field) == ["remote_read", "runtime"])
    }

    @Test func theSizeOfSamplesMayBeAShareOfTheDisk() throws {
        let configuration = try parse(
            """
            storage:
              tsdb:
                retention: {percentage: 0.5, time: 0s}
                stale_series_compaction_threshold: 0.3
                chunk_encoding: {floats: xor2}
            """)
        #expect(configuration.retentionPercentage == 0.5 && configuration.retention == nil)
        #expect(
            configuration.warnings.map(\.field) == [
                "storage.tsdb.stale_series_compaction_threshold", "storage.tsdb.chunk_encoding",
            ])
    }

    /// As in Prometheus.
    @Test func anIntervalOfZeroIsTheDefault() throws {
        let configuration = try parse(
            """
            global: {scrape_interval: 0s, scrape_timeout: 0, evaluation_interval: 0m}
            scrape_configs: [{job_name: a, scrape_interval: 0s, scrape_timeout: 0s}]
            """)
        #expect((configuration.scrapeInterval, configuration.evaluationInterval) == (.minutes(1), .minutes(1)))
        #expect((configuration.pools[0].interval, configuration.pools[0].timeout) == (.minutes(1), .seconds(10)))
    }

    /// Relabelling may set another scheme.
    @Test func theSchemeOfAJobIsNotChecked() throws {
        let configuration = try parse(
            """
            alerting: {alertmanagers: [{scheme: x}, {scheme: HTTPS}]}
            scrape_configs: [{job_name: a, scheme: tcp}, {job_name: b, scheme: https}]
            """)
        #expect(configuration.pools.map(\.scheme) == ["tcp", "https"])
        #expect(
            configuration.warnings.map(\.field) == ["scrape_configs[0].scheme", "alerting.alertmanagers[0].scheme"])
    }

    @Test func extraMetricsOfAScrapeAreInherited() throws {
        let configuration = try parse(
            """
            global: {extra_scrape_metrics: true}
            scrape_configs: [{job_name: a}, {job_name: b, extra_scrape_metrics: false}]
            """)
        #expect(configuration.pools.map(\.storesExtraReports) == [true, false])
        #expect(try parse("scrape_configs: [{job_name: a}]").pools[0].storesExtraReports == nil)
    }

    @Test func `tracing is read with Prometheus's defaults`() throws {
        let short = try #require(try parse("tracing: {endpoint: 'collector:4317'}").tracing)
        #expect(short.client == .grpc && !short.isInsecure && short.timeout == .seconds(10) && !short.isEnabled)
        #expect(try parse("tracing: {endpoint: 'c:1'}").warnings.map(\.field) == ["tracing.sampling_fraction"])
        let whole = try #require(
            try parse(
                """
                tracing:
                  endpoint: c:4318
                  client_type: http
                  sampling_fraction: 0.5
                  insecure: true
                  headers: {x-tenant: shop}
                  compression: gzip
                  timeout: 3s
                  tls_config: {server_name: other, insecure_skip_verify: true}
                """
            ).tracing)
        #expect(whole.client == .http && whole.isInsecure && whole.isCompressed && whole.samplingFraction == 0.5)
        #expect(whole.headers == ["x-tenant": "shop"] && whole.timeout == .seconds(3))
        #expect(whole.tls.serverName == "other" && whole.tls.insecureSkipVerify)
        // As Prometheus, which samples with the nearest limit.
        let above = try parse("tracing: {endpoint: 'c:1', sampling_fraction: 7}")
        #expect(above.tracing?.samplingFraction == 1 && above.warnings.map(\.field) == ["tracing.sampling_fraction"])
    }

    @Test(arguments: [
        ("tracing: {sampling_fraction: 1}", "tracing endpoint must be set"),
        ("tracing: {endpoint: x, client_type: tcp}", "expected tracing client type to be http or grpc, but got tcp"),
        ("tracing: {endpoint: x, compression: zip}", "invalid compression type zip"),
        ("tracing: {endpoint: x, headers: {authorization: x}}", "custom authorization header"),
        ("tracing: {endpoint: x, headers: {user-agent: x}}", "user-agent is a reserved header"),
        ("otlp: {promote_resource_attributes: [a, a]}", "duplicated promoted OTel resource attribute \"a\""),
        ("otlp: {promote_resource_attributes: [\" \"]}", "empty promoted OTel resource attribute"),
        ("otlp: {ignore_resource_attributes: [a]}", "cannot be configured unless"),
        ("otlp: {promote_all_resource_attributes: true, promote_resource_attributes: [a]}", "simultaneously"),
        ("otlp: {translation_strategy: Other}", "unsupported OTLP translation strategy \"Other\""),
        (
            "global: {metric_name_validation_scheme: legacy}\notlp: {translation_strategy: NoTranslation}",
            "not allowed when UTF8 is disabled"
        ),
        ("remote_write: [{url: x, headers: {Authorization: x}}]", "authorization header must be changed via"),
        ("remote_write: [{url: x, name: a}, {url: y, name: a}]", "found multiple remote write configs"),
        ("remote_write: [{url: x, protobuf_message: y}]", "unknown type for remote write protobuf message y"),
        ("remote_write: [{url: x, basic_auth: {username: a}, sigv4: {}}]", "at most one of basic_auth"),
        ("remote_write: [{url: x, sigv4: {access_key: a}}]", "must provide a AWS SigV4 Access key and Secret Key"),
        ("remote_write: [{url: x, sigv4: {regin: a}}]", "remote_write[0].sigv4.regin: unknown field"),
        ("remote_write: [{url: x, write_relabel_configs: [null]}]", "replace action requires"),
        ("remote_write: [{url: x, queue_config: {capacity: x}}]", "queue_config.capacity: expected a whole number"),
        ("remote_read: [{url: x, nope: 1}]", "remote_read[0].nope: unknown field"),
        ("rule_files: [\"a/*/b.yml\"]", "invalid rule file path \"a/*/b.yml\""),
        ("scrape_config_files: [\"*/b.yml\"]", "invalid scrape config file path"),
        ("scrape_configs: [null]", "empty or null scrape config section"),
        ("runtime: {gogc: x}", "runtime.gogc: expected a whole number"),
        ("storage: {tsdb: {retention: {percentage: 101}}}", "retention.percentage: must be in the range [0, 100]"),
        ("storage: {tsdb: {chunk_encoding: {floats: gorilla}}}", "floats: unknown encoding \"gorilla\""),
        ("global: {query_log_file: [x]}", "global.query_log_file: expected text, got a list"),
        ("alerting: {alertmanagers: [null]}", "alertmanagers[0]: empty or null section"),
        (
            "scrape_configs: [{job_name: a, relabel_configs: [{source_labels: [b, \"\"], target_label: c}]}]",
            "relabel_configs[0].source_labels[1]: \"\" is not a valid label name"
        ),
        ("scrape_configs: [{job_name: a, oci_sd_configs: [{}, {}]}]", "oci_sd_configs is not supported"),
        ("storage: {tsdb: {retention: {time: 5x}}}", "unknown unit \"x\" in duration \"5x\""),
        ("global: {metric_name_escaping_scheme: x}", "unknown name escaping method"),
        (
            "scrape_configs: [{job_name: a, metric_name_validation_scheme: legacy, "
                + "metric_name_escaping_scheme: allow-utf-8}]", "utf8 metric names requested"
        ),
    ])
    func faultySectionsAreRefused(text: String, message: String) {
        let found = errors(text)
        #expect(found.count == 1 && found.first?.contains(message) == true, "\(found)")
    }
}
