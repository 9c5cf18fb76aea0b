import ConfigurationFields
import CurlHTTP
import Discovery
import Exposition
import MetricModel
import Runtime
import TestSupport
import Testing
import YAML

@testable import Scraper

@Suite struct PrometheusConfigurationTests {
    private static let whole = """
        global:
          scrape_interval: 15s
          scrape_timeout: 5s
          evaluation_interval: 30s
          external_labels: {region: eu, replica: "1"}
          body_size_limit: 10MB
        rule_files: [rules/*.yml, /etc/other.yml]
        alerting:
          alert_relabel_configs: [{action: labeldrop, regex: replica}]
          alertmanagers:
          - scheme: https
            path_prefix: /am
            timeout: 3s
            api_version: v2
            static_configs: [{targets: ["am:9093"]}]
        storage: {tsdb: {out_of_order_time_window: 1m}, exemplars: {max_exemplars: 500}}
        scrape_configs:
        - job_name: plain
          static_configs:
          - targets: ["a:1", "b:2"]
            labels: {env: green}
        - job_name: full
          scrape_interval: 1m
          scrape_timeout: 20s
          metrics_path: /probe
          scheme: https
          params: {module: [http_2xx], "a b": ["1", "2"]}
          honor_labels: true
          honor_timestamps: false
          sample_limit: 1000
          label_limit: 30
          label_name_length_limit: 100
          label_value_length_limit: 200
          body_size_limit: 512KB
          target_limit: 50
          follow_redirects: false
          basic_auth: {username: u, password_file: secrets/password}
          proxy_url: http://proxy:3128
          tls_config: {ca_file: ca.pem, server_name: inner, insecure_skip_verify: true, min_version: TLS13}
          file_sd_configs: [{files: ["targets/*.json"], refresh_interval: 1m}]
          relabel_configs:
          - {source_labels: [__address__], target_label: host, regex: "(.*):.*", replacement: "$1"}
          metric_relabel_configs:
          - {source_labels: [__name__], action: Drop, regex: "go_.*"}
        """

    private func parse(_ text: String) throws -> PrometheusConfiguration {
        try PrometheusConfiguration(parsing: Array(text.utf8), file: "/etc/tribune/prometheus.yml")
    }

    private func errors(_ text: String) -> [String] {
        do throws(ConfigurationError) {
            _ = try PrometheusConfiguration(parsing: Array(text.utf8), file: "p.yml")
            return []
        } catch {
            return error.errors.map(\.description)
        }
    }

    @Test func everySectionIsRead() throws {
        let configuration = try parse(Self.whole)
        #expect(configuration.scrapeInterval == .seconds(15))
        #expect(configuration.evaluationInterval == .seconds(30))
        #expect(configuration.externalLabels == ["region": "eu", "replica": "1"])
        #expect(configuration.ruleFiles == ["/etc/tribune/rules/*.yml", "/etc/other.yml"])
        #expect(configuration.alertRelabelRules.map(\.action) == [.labeldrop])
        #expect(configuration.alertmanagers.count == 1)
        #expect(configuration.alertmanagers.first?.scheme == "https")
        #expect(configuration.alertmanagers.first?.pathPrefix == "/am")
        #expect(configuration.alertmanagers.first?.staticTargets == [.init(source: "0", addresses: ["am:9093"])])
        #expect(configuration.warnings.isEmpty)
        #expect(configuration.outOfOrderWindow == .minutes(1))
        #expect(configuration.maximumExemplars == 500)
        let plain = try #require(configuration.pools.first)
        #expect((plain.name, plain.interval, plain.timeout) == ("plain", .seconds(15), .seconds(5)))
        #expect(plain.limits.bodyBytes == 10 << 20)
        #expect(plain.staticTargets == [.init(source: "0", addresses: ["a:1", "b:2"], labels: ["env": "green"])])
        let full = try #require(configuration.pools.last)
        #expect(
            (full.interval, full.timeout, full.metricsPath, full.scheme) == (
                .minutes(1), .seconds(20), "/probe", "https"
            ))
        #expect(
            full.parameters == [.init(name: "a b", values: ["1", "2"]), .init(name: "module", values: ["http_2xx"])])
        #expect(full.honorsLabels && !full.honorsTimestamps)
        #expect(
            full.limits
                == {
                    var limits = ScrapePool.Limits()
                    (limits.samples, limits.labels, limits.labelNameLength) = (1000, 30, 100)
                    (limits.labelValueLength, limits.bodyBytes, limits.targets) = (200, 512 << 10, 50)
                    return limits
                }())
        #expect(full.http.authentication == .basic(user: .text("u"), password: .file("/etc/tribune/secrets/password")))
        #expect(full.http.tls.authorities == .file("/etc/tribune/ca.pem"))
        #expect(full.http.tls.serverName == "inner" && full.http.tls.minimumVersion == .tls13)
        #expect(full.http.proxy.source == .url("http://proxy:3128") && !full.http.followsRedirects)
        #expect(
            full.discovery == [
                .file(.init(patterns: ["/etc/tribune/targets/*.json"], refreshInterval: .minutes(1)))
            ])
        #expect(full.relabelRules.first?.targetLabel == "host")
        #expect(full.metricRelabelRules.first?.action == .drop)
    }

    @Test func theEmptyFileIsAConfiguration() throws {
        #expect(try parse("") == PrometheusConfiguration())
    }

    @Test(arguments: [
        ("", "openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"),
        ("scrape_native_histograms: true", "delimited;q=0.6,application/openmetrics-text;version=1.0.0;"),
        ("scrape_protocols: [PrometheusText0.0.4]", "text/plain;version=0.0.4;q=0.6,*/*;q=0.5"),
        (
            "scrape_native_histograms: true, scrape_protocols: [PrometheusText0.0.4, PrometheusProto]",
            "text/plain;version=0.0.4;q=0.6,application/vnd.google.protobuf;"
                + "proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.5,*/*;q=0.4"
        ),
    ])
    func whatIsAskedForFollowsTheProtocols(fields: String, accept: String) throws {
        let comma = fields.isEmpty ? "" : ", "
        for text in [
            "scrape_configs: [{job_name: a\(comma)\(fields)}]", "global: {\(fields)}\nscrape_configs: [{job_name: a}]",
        ] {
            let configuration = try PrometheusConfiguration(parsing: Array(text.utf8), file: "p.yml")
            let pool = configuration.pools[0]
            let header = pool.acceptHeader(protobufFirst: pool.histograms.scrapesNative)
            #expect(header.contains(accept), "\(text)")
            #expect(configuration.warnings.isEmpty)
        }
    }

    @Test func theAcceptHeaderIsPrometheuss() {
        #expect(
            ScrapePool(name: "a").acceptHeader(protobufFirst: false)
                == "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                + "application/openmetrics-text;version=0.0.1;q=0.5,"
                + "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2")
        #expect(
            ScrapePool(name: "a").acceptHeader(protobufFirst: true).hasSuffix(
                "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"))
    }

    @Test func histogramSettingsAreRead() throws {
        let text = """
            global: {scrape_native_histograms: true, always_scrape_classic_histograms: true}
            scrape_configs:
            - {job_name: a}
            - {job_name: b, scrape_native_histograms: false, scrape_classic_histograms: false}
            - job_name: c
              convert_classic_histograms_to_nhcb: true
              native_histogram_bucket_limit: 100
              native_histogram_min_bucket_factor: 1.1
            """
        let pools = try PrometheusConfiguration(parsing: Array(text.utf8), file: "p.yml").pools
        #expect(pools.map(\.histograms.scrapesNative) == [true, false, true])
        #expect(pools.map(\.histograms.alwaysScrapesClassic) == [true, false, true])
        #expect(pools.map(\.histograms.convertsClassic) == [false, false, true])
        #expect(pools.map(\.histograms.bucketLimit) == [0, 0, 100])
        #expect(pools.map(\.histograms.minimumBucketFactor) == [0, 0, 1.1])
    }

    @Test(arguments: [
        (
            "scrape_configs: [{job_name: a, scrape_intervall: 5s}]",
            "p.yml:1:32: scrape_configs[0].scrape_intervall: unknown field"
        ),
        ("globl: {}", "p.yml:1:1: globl: unknown field \"globl\""),
        ("scrape_configs: [{metrics_path: /x}]", "scrape_configs[0]: the field \"job_name\" is required"),
        (
            "scrape_configs: [{job_name: a}, {job_name: a}]",
            "scrape_configs[1].job_name: found multiple scrape configs with job name \"a\""
        ),
        (
            "scrape_configs: [{job_name: a, scrape_interval: 5}]",
            "scrape_configs[0].scrape_interval: not a valid duration string: \"5\""
        ),
        (
            "scrape_configs: [{job_name: a, scrape_interval: 5s, scrape_timeout: 6s}]",
            "scrape_timeout: scrape timeout greater than scrape interval"
        ),
        ("global: {scrape_timeout: 2m}", "global scrape timeout greater than scrape interval"),
        ("scrape_configs: [{job_name: a, body_size_limit: 10XB}]", "not a size: \"10XB\""),
        ("scrape_configs: [{job_name: a, body_size_limit: 99999999999EB}]", "not a size"),
        ("scrape_configs: [{job_name: a, sample_limit: -1}]", "must not be negative"),
        (
            "scrape_configs:\n- job_name: a\n  azure_sd_configs: [{port: 80}]",
            "p.yml:3:21: scrape_configs[0].azure_sd_configs: azure_sd_configs is not supported"
        ),
        (
            "scrape_configs: [{job_name: a, oauth2: {client_id: x}}]",
            "either oauth2 client_secret or client_secret_file must be configured"
        ),
        (
            "scrape_configs: [{job_name: a, basic_auth: {username: u}, authorization: {credentials: c}}]",
            "at most one of basic_auth, authorization"
        ),
        ("scrape_configs: [{job_name: a, authorization: {type: Basic}}]", "use \"basic_auth\" instead"),
        (
            "scrape_configs: [{job_name: a, authorization: {credentials: a, credentials_file: b}}]",
            "at most one of credentials and credentials_file"
        ),
        ("scrape_configs: [{job_name: a, tls_config: {cert_file: c}}]", "exactly one of key or key_file"),
        ("scrape_configs: [{job_name: a, tls_config: {min_version: SSL3}}]", "unknown TLS version: SSL3"),
        (
            "scrape_configs: [{job_name: a, static_configs: [{targets: [\"http://x\"]}]}]",
            "static_configs[0].targets[0]: \"http://x\" is not a valid hostname"
        ),
        ("scrape_configs: [{job_name: a, file_sd_configs: [{files: [\"*/x.json\"]}]}]", "not valid for file discovery"),
        ("scrape_configs: [{job_name: a, file_sd_configs: [{files: [x.txt]}]}]", "not valid for file discovery"),
        (
            "scrape_configs: [{job_name: a, relabel_configs: [{action: repalce}]}]",
            "relabel_configs[0].action: unknown relabel action \"repalce\""
        ),
        (
            "scrape_configs: [{job_name: a, relabel_configs: [{regex: \"(\"}]}]",
            "relabel_configs[0].regex: invalid regular expression"
        ),
        ("scrape_configs: [{job_name: a, relabel_configs: [{}]}]", "replace action requires 'target_label'"),
        ("scrape_configs: [{job_name: a, relabel_configs: [{action: hashmod, target_label: x}]}]", "non-zero modulus"),
        (
            "scrape_configs: [{job_name: a, relabel_configs: [{action: labeldrop, target_label: x}]}]",
            "requires only 'regex'"
        ),
        (
            "scrape_configs: [{job_name: a, relabel_configs: [{action: keepequal, target_label: x, regex: y}]}]",
            "requires only 'source_labels' and 'target_label'"
        ),
        ("scrape_configs: [{job_name: a, scrape_protocols: []}]", "scrape_protocols cannot be empty"),
        (
            "scrape_configs: [{job_name: a, scrape_protocols: [PrometheusProto, PrometheusProto]}]",
            "duplicated protocol in scrape_protocols, got [PrometheusProto PrometheusProto]"
        ),
        (
            "scrape_configs: [{job_name: a, scrape_protocols: [Nonsense]}]",
            "unknown scrape protocol Nonsense, supported: [OpenMetricsText0.0.1 OpenMetricsText1.0.0 PrometheusProto "
                + "PrometheusText0.0.4 PrometheusText1.0.0]"
        ),
        (
            "scrape_configs: [{job_name: a, fallback_scrape_protocol: text}]",
            "invalid fallback_scrape_protocol for scrape config with job name \"a\": unknown scrape protocol text"
        ),
        ("alerting: {alertmanagers: [{api_version: v1}]}", "expected Alertmanager api version"),
        ("scrape_configs: {a: b}", "expected a list"),
        ("a: [", "p.yml:"),
    ])
    func faultsNameTheirPlace(text: String, message: String) {
        let errors = errors(text)
        #expect(errors.count == 1)
        #expect(errors.first?.contains(message) == true, "\(errors)")
    }

    @Test func allJobsFaultsAreShownInOrder() {
        let found = errors(
            "scrape_configs:\n- job_name: a\n  sample_limit: x\n- job_name: b\n  sample_limit: y\nremote_read: [{}]\nnope: 1\n"
        )
        #expect(found.map { $0.prefix(8) } == ["p.yml:3:", "p.yml:5:", "p.yml:6:", "p.yml:7:"])
    }

    @Test func missingFilesAreNamed() {
        #expect(throws: ConfigurationError.self) { try PrometheusConfiguration(contentsOf: "/no/such/prometheus.yml") }
    }

    @Test func furtherScrapeConfigFilesAreRead() throws {
        let directory = TemporaryDirectory()
        directory.write("scrape_configs: [{job_name: second}]", to: "more.yml")
        let main = directory.write(
            "scrape_config_files: [\"mo*.yml\"]\nscrape_configs: [{job_name: first}]", to: "main.yml")
        #expect(try PrometheusConfiguration(contentsOf: main).pools.map(\.name) == ["first", "second"])
        directory.write("scrape_configs: [{job_name: first}]", to: "more.yml")
        #expect(throws: ConfigurationError.self) { try PrometheusConfiguration(contentsOf: main) }
    }

    /// The oracle is Debian's promtool; older than some fields, so it reads what it knows.
    @Test func promtoolAgreesOnTheWholeExample() throws {
        let directory = TemporaryDirectory()
        for name in ["rules", "secrets", "targets"] { _ = try ChildProcess(["mkdir", directory.file(name)]).wait() }
        directory.write("", to: "secrets/password")
        directory.write("", to: "ca.pem")
        directory.write("[]", to: "targets/a.json")
        let text = Self.whole.replacing(", /etc/other.yml", with: "")
            .replacing("rules/*.yml", with: "rules/*.yaml")
        let file = directory.write(text, to: "prometheus.yml")
        let tool = try ChildProcess(
            ["promtool", "check", "config", "--syntax-only", file], output: .file(directory.file("report")))
        let exit = tool.wait()
        let report = FileText.read(directory.file("report")) ?? ""
        #expect(exit == .code(0) || report.contains("body_size_limit"), "\(report)")
    }
}
