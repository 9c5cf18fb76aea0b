import Glibc
import Runtime
import TestSupport
import Testing

/// Small configurations, each with one property of a kind that Prometheus's own tests of its configuration know: those
/// that load, and those that are refused.
///
/// Debian's promtool 2.42 gives its verdict on the same files, except on sections that it does not know: Debian builds
/// it without discovery in clouds, and some fields are newer.
@Suite struct ConfigurationVerdictTests {
    /// Both programs load these.
    private static let sound: [String] = [
        #"scrape_configs: [{job_name: a, static_configs: []}]"#,
        #"scrape_configs: [{job_name: a, static_configs: [{}]}]"#,
        #"scrape_configs: [{job_name: a, static_configs: [{targets: ['http://b']}], relabel_configs: [{target_label: __address__, replacement: c}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{action: uppercase, source_labels: [x], target_label: y}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{action: keepequal, source_labels: [x], target_label: y}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{action: labelmap, regex: 'x_(.+)'}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{source_labels: [x], target_label: 'y_${1}'}]}]"#,
        #"rule_files: ['[']"#,
        #"rule_files: ['none-*.yml']"#,
        #"global: {external_labels: {__a: b}}"#,
        #"global: {external_labels: {a: '${HOME}x$$'}}"#,
        #"scrape_configs: [{job_name: a, oauth2: {client_id: i, token_url: 'http://t', client_secret: s}}]"#,
        #"scrape_configs: [{job_name: a, body_size_limit: 100MB, sample_limit: 5, label_limit: 3}]"#,
        #"scrape_configs: [{job_name: a, params: {x: [y, z]}, scheme: https, metrics_path: /m, honor_labels: true}]"#,
        #"scrape_configs: [{job_name: a, file_sd_configs: [{files: [a/*.json, b.yml]}]}]"#,
        #"scrape_configs: [{job_name: a, http_sd_configs: [{url: 'https://a.example/x', refresh_interval: 5s}]}]"#,
        #"scrape_configs: [{job_name: a, dns_sd_configs: [{names: [a.example]}]}]"#,
        #"scrape_configs: [{job_name: a, dns_sd_configs: [{names: [a], type: aaaa, port: 1}]}]"#,
        #"scrape_configs: [{job_name: a, ec2_sd_configs: [{region: eu, access_key: k, secret_key: s, filters: [{name: n, values: [v]}]}]}]"#,
        #"scrape_configs: [{job_name: a, docker_sd_configs: [{host: 'unix:///x.sock'}]}]"#,
        #"scrape_configs: [{job_name: a, dockerswarm_sd_configs: [{host: 'http://a', role: tasks}]}]"#,
        #"remote_write: [{url: 'http://a', headers: {x-a: b}}, {url: 'http://b', name: n}]"#,
        #"remote_read: [{url: 'http://a', read_recent: true}]"#,
        #"alerting: {alertmanagers: [{path_prefix: /x, scheme: https, static_configs: [{targets: ['a:1']}]}]}"#,
        #"tracing: {endpoint: x, client_type: http, compression: gzip}"#,
        #"storage: {tsdb: {out_of_order_time_window: 30m}, exemplars: {max_exemplars: 5}}"#,
        #"global: {scrape_interval: 0s, scrape_timeout: 0s, evaluation_interval: 0}"#,
        #"scrape_configs: [{job_name: a, scrape_interval: 0s, scrape_timeout: 0s}]"#,
        #"scrape_configs: [{job_name: a, scheme: HTTPS}]"#,
        #"scrape_configs: [{job_name: a, scheme: ''}]"#,
        #"alerting: {alertmanagers: [{scheme: x}]}"#,
        #"scrape_configs: [{job_name: a, sample_limit: 1_000, label_limit: 0x10, target_limit: 1e3}]"#,
        #"global: {query_log_file: q, external_labels: {a: 1, b: yes, c: 0x10, d: 2020-01-01, e: ~}}"#,
        #"scrape_configs: [{job_name: 42, honor_labels: on, static_configs: [{targets: [a, 8080], labels: {a: 012, b: True}}]}]"#,
        #""#,
        #"global:"#,
        #"{}"#,
    ]

    /// Prometheus 3 loads these.
    private static let soundInNewerVersions: [String] = [
        #"scrape_configs: [{job_name: a, consul_sd_configs: [{server: 'localhost:1', services: [a, b], tags: [x], node_meta: {r: s}, allow_stale: true}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: endpoints, selectors: [{role: pod, label: 'a in (b, c)'}, {role: service, field: 'x=y'}]}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, api_server: ''}]}]"#,
        #"{global: {scrape_protocols: [PrometheusText0.0.4], always_scrape_classic_histograms: true}, scrape_configs: [{job_name: a, scrape_native_histograms: true}]}"#,
        #"{global: {body_size_limit: 15MB, sample_limit: 1500, target_limit: 30, label_limit: 30, label_name_length_limit: 200, label_value_length_limit: 200}}"#,
        #"{otlp: {promote_resource_attributes: [a]}, runtime: {gogc: 50}}"#,
        #"remote_write: [{url: 'http://a', protobuf_message: io.prometheus.write.v2.Request}]"#,
        #"storage: {tsdb: {retention: {percentage: 0.5}, stale_series_compaction_threshold: 0.3}}"#,
        #"storage: {tsdb: {chunk_encoding: {floats: xor2}}}"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, attach_metadata: {deployment: true, job: true, cronjob: true}}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, selectors: [{role: node, label: 'a=b'}]}]}]"#,
        #"{global: {extra_scrape_metrics: true}, scrape_configs: [{job_name: a, extra_scrape_metrics: false}]}"#,
    ]

    /// Both programs refuse these.
    private static let faulty: [String] = [
        #"global: {scrape_interval: 30s, scrape_timeout: 31s}"#,
        #"{global: {scrape_interval: 10s}, scrape_configs: [{job_name: a, scrape_timeout: 11s}]}"#,
        #"scrape_configs: [{job_name: a, scrape_interval: 10s, scrape_timeout: 11s}]"#,
        #"scrape_configs: [{job_name: a, scrape_interval: -1s}]"#,
        #"scrape_configs: [{job_name: a, scrape_interval: 5}]"#,
        #"scrape_configs: [{}]"#,
        #"scrape_configs: [{job_name: ''}]"#,
        #"scrape_configs: [{job_name: a}, {job_name: a}]"#,
        #"scrape_configs: [null]"#,
        #"scrape_configs: [{job_name: a, static_configs: [null, {targets: [b]}]}]"#,
        #"scrape_configs: [{job_name: a, static_configs: [{targets: ['http://b']}]}]"#,
        #"scrape_configs: [{job_name: a, static_configs: [{targets: b}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{source_labels: [x]}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{source_labels: [x], action: hashmod, target_label: y}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{source_labels: [x], action: hashmod, modulus: 8}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{regex: 'a(', target_label: y}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{action: shout, target_label: y}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{action: '', target_label: y}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [null]}]"#,
        #"scrape_configs: [{job_name: a, metric_relabel_configs: [null]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{action: lowercase, source_labels: [x]}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{action: lowercase, source_labels: [x], target_label: y, replacement: z}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{action: uppercase, source_labels: [x], target_label: y, replacement: z}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{action: labeldrop, source_labels: [x], regex: y}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{action: labelkeep, target_label: x, regex: y}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{action: labeldrop, modulus: 8, regex: y}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{action: labeldrop, separator: ',', regex: y}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{action: labeldrop, replacement: z, regex: y}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{action: dropequal, source_labels: [x]}]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{action: keepequal, source_labels: [x], target_label: y, regex: z}]}]"#,
        #"rule_files: ['a/*/b*.rules']"#,
        #"global: {nonsense: 1}"#,
        #"{scrape_configs: [], scrape_configs: []}"#,
        #"scrape_configs: [{job_name: a, consulk_sd_configs: []}]"#,
        #"scrape_configs: [{job_name: a, bearer_token: x, bearer_token_file: y}]"#,
        #"scrape_configs: [{job_name: a, bearer_token: x, basic_auth: {username: u}}]"#,
        #"scrape_configs: [{job_name: a, basic_auth: {username: u, password: p, password_file: f}}]"#,
        #"scrape_configs: [{job_name: a, authorization: {type: Basic, credentials: x}}]"#,
        #"scrape_configs: [{job_name: a, authorization: {credentials: x, credentials_file: y}}]"#,
        #"scrape_configs: [{job_name: a, authorization: {credentials: x}, basic_auth: {username: u}}]"#,
        #"scrape_configs: [{job_name: a, authorization: {credentials: x}, bearer_token: y}]"#,
        #"scrape_configs: [{job_name: a, oauth2: {client_id: i, token_url: 'http://t', client_secret: s}, basic_auth: {username: u}}]"#,
        #"scrape_configs: [{job_name: a, oauth2: {client_id: '', token_url: 'http://t', client_secret: s}}]"#,
        #"scrape_configs: [{job_name: a, oauth2: {client_id: i, client_secret: s}}]"#,
        #"scrape_configs: [{job_name: a, tls_config: {min_version: TLS9}}]"#,
        #"scrape_configs: [{job_name: a, tls_config: {cert_file: c}}]"#,
        #"scrape_configs: [{job_name: a, body_size_limit: 100}]"#,
        #"scrape_configs: [{job_name: a, sample_limit: -1}]"#,
        #"scrape_configs: [{job_name: a, scheme: [b]}]"#,
        #"scrape_configs: [{job_name: a, relabel_configs: [{source_labels: [''], target_label: y}]}]"#,
        #"global: {query_log_file: [x]}"#,
        #"alerting: {alertmanagers: [null]}"#,
        #"scrape_configs: [{job_name: a, metrics_path: {b: c}}]"#,
        #"scrape_configs: [{job_name: a, params: x}]"#,
        #"scrape_configs: [{job_name: a, proxy_url: '://'}]"#,
        #"scrape_configs: [{job_name: a, file_sd_configs: [{files: []}]}]"#,
        #"scrape_configs: [{job_name: a, file_sd_configs: [{files: [a/*/b.yml]}]}]"#,
        #"scrape_configs: [{job_name: a, file_sd_configs: [{files: [a.txt]}]}]"#,
        #"scrape_configs: [{job_name: a, file_sd_configs: [{files: [a.yml], refresh_interval: x}]}]"#,
        #"scrape_configs: [{job_name: a, http_sd_configs: [{url: 'a.example/x'}]}]"#,
        #"scrape_configs: [{job_name: a, http_sd_configs: [{url: 'http://'}]}]"#,
        #"scrape_configs: [{job_name: a, http_sd_configs: [{url: 'ftp://a.example'}]}]"#,
        #"scrape_configs: [{job_name: a, http_sd_configs: [{}]}]"#,
        #"scrape_configs: [{job_name: a, dns_sd_configs: [{names: []}]}]"#,
        #"scrape_configs: [{job_name: a, dns_sd_configs: [{names: [a], type: A}]}]"#,
        #"scrape_configs: [{job_name: a, dns_sd_configs: [{names: [a], type: TXT, port: 1}]}]"#,
        #"scrape_configs: [{job_name: a, consul_sd_configs: [{server: ''}]}]"#,
        #"scrape_configs: [{job_name: a, consul_sd_configs: [{server: x, username: u, basic_auth: {username: v}}]}]"#,
        #"scrape_configs: [{job_name: a, consul_sd_configs: [{server: x, token: t, authorization: {credentials: c}}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: volume}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, bearer_token: x}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, api_server: 'http://a', kubeconfig_file: f}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, kubeconfig_file: f, bearer_token: x}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, kubeconfig_file: f, namespaces: {own_namespace: true}}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, api_server: 'http://a', namespaces: {own_namespace: true}}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, api_server: 'http://a', namespaces: {foo: [b]}}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, api_server: 'http://a', bearer_token: x, basic_auth: {username: u}}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: node, selectors: [{role: pod, label: 'a=b'}]}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: service, selectors: [{role: pod, label: 'a=b'}]}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: ingress, selectors: [{role: pod, label: 'a=b'}]}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: endpoints, selectors: [{role: node, label: 'a=b'}]}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, selectors: [{role: pod, label: 'a=b'}, {role: pod, field: 'a=b'}]}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, selectors: [{role: pod, field: 'status-Running'}]}]}]"#,
        #"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, selectors: [{role: pod, label: 'a in b'}]}]}]"#,
        #"scrape_configs: [{job_name: a, ec2_sd_configs: [{region: eu, access_key: k, secret_key: s, filters: [{name: n, values: []}]}]}]"#,
        #"scrape_configs: [{job_name: a, docker_sd_configs: [{}]}]"#,
        #"scrape_configs: [{job_name: a, dockerswarm_sd_configs: [{host: 'http://a', role: pods}]}]"#,
        #"scrape_configs: [{job_name: a, dockerswarm_sd_configs: [{role: nodes}]}]"#,
        #"remote_write: [{}]"#,
        #"remote_write: [null]"#,
        #"remote_write: [{url: 'http://a', name: n}, {url: 'http://b', name: n}]"#,
        #"remote_write: [{url: 'http://a', headers: {x-prometheus-remote-write-version: '1'}}]"#,
        #"remote_write: [{url: 'http://a', headers: {Authorization: x}}]"#,
        #"remote_write: [{url: 'http://a', write_relabel_configs: [null]}]"#,
        #"remote_write: [{url: 'http://a', sigv4: {region: r}, basic_auth: {username: u}}]"#,
        #"remote_write: [{url: 'http://a', sigv4: {access_key: k}}]"#,
        #"remote_write: [{url: 'http://a', sigv4: x}]"#,
        #"remote_read: [{}]"#,
        #"remote_read: [null]"#,
        #"remote_read: [{url: 'http://a', name: n}, {url: 'http://b', name: n}]"#,
        #"remote_read: [{url: 'http://a', headers: {x-prometheus-remote-write-version: '1'}}]"#,
        #"alerting: {alert_relabel_configs: [null]}"#,
        #"alerting: {alertmanagers: [{relabel_configs: [null]}]}"#,
        #"alerting: {alertmanagers: [{api_version: v9}]}"#,
        #"alerting: {alertmanagers: [{static_configs: [{targets: ['http://a']}]}]}"#,
        #"alerting: {alertmanagers: [{timeout: x}]}"#,
        #"alerting: {alertmanager: []}"#,
        #"tracing: {sampling_fraction: 1}"#,
        #"tracing: {endpoint: x, headers: {x-prometheus-remote-write-version: '1'}}"#,
        #"tracing: {endpoint: x, headers: {authorization: y}}"#,
        #"tracing: {endpoint: x, compression: foo}"#,
        #"tracing: {endpoint: x, client_type: foo}"#,
        #"storage: {tsdb: {out_of_order_time_window: 30x}}"#,
        #"storage: {tsdb: {nonsense: 1}}"#,
        #"[]"#,
        #"scrape_config_files: [a/*/*]"#,
        #"scrape_configs: [{job_name: a, scrape_protocols: [prometheusproto]}]"#,
        #"scrape_configs: [{job_name: a, scrape_protocols: [PrometheusProto, PrometheusProto]}]"#,
        #"scrape_configs: [{job_name: a, fallback_scrape_protocol: prometheusproto}]"#,
        #"scrape_configs: [{job_name: a, fallback_scrape_protocol: [PrometheusProto]}]"#,
        #"scrape_configs: [{job_name: a, metric_name_validation_scheme: legacy, metric_name_escaping_scheme: allow-utf-8}]"#,
        #"otlp: {promote_resource_attributes: [a, a]}"#,
        #"otlp: {promote_resource_attributes: ['']}"#,
        #"otlp: {promote_all_resource_attributes: true, promote_resource_attributes: [a]}"#,
        #"remote_write: [{url: 'http://a', protobuf_message: io.prometheus.writet.v2.Request}]"#,
    ]

    /// Prometheus 3 and Tribune load these, but 2.42 refuses them: names of labels may have any characters.
    private static let soundSince3: [String] = [
        #"scrape_configs: [{job_name: a, static_configs: [{labels: {1a: b}}]}]"#,
        #"global: {external_labels: {'1a': b}}"#,
        #"remote_read: [{url: 'http://a', required_matchers: {'1a': b}}]"#,
    ]

    /// Tribune refuses these, and 2.42 loads them: a count with a fraction, an interval of discovery of zero (with
    /// which Prometheus panics), a second document, a metric name as an external label, two tokens of a discovery (as
    /// since 2.43), and a URL without a host.
    private static let refusedByTribune: [String] = [
        #"scrape_configs: [{job_name: a, sample_limit: 1.5}]"#,
        #"scrape_configs: [{job_name: a, http_sd_configs: [{url: 'http://a', refresh_interval: 0s}]}]"#,
        "global: {scrape_interval: 5s}\n---\nglobal: {scrape_interval: 6s}",
        #"global: {external_labels: {__name__: b}}"#,
        #"scrape_configs: [{job_name: a, http_sd_configs: [{url: 'http://a', bearer_token: x, bearer_token_file: y}]}]"#,
        #"remote_write: [{url: ''}]"#,
    ]

    private func check(_ text: String) throws -> (tribune: Bool, promtool: Bool, output: String) {
        let directory = TemporaryDirectory()
        let path = directory.write(text + "\n", to: "prometheus.yml")
        let ours = try TribuneProgram.run(["check", "config", path])
        var theirs = true
        if access("/usr/bin/promtool", X_OK) == 0 {
            theirs =
                try TribuneProgram.run(program: ["promtool", "check", "config", "--syntax-only", path]).exit
                == .code(0)
        }
        // A refusal names the place.
        let isPlaced = ours.exit == .code(0) || (ours.output + ours.errors).contains("prometheus.yml:")
        return (ours.exit == .code(0), theirs, isPlaced ? ours.output + ours.errors : "no place: \(ours.errors)")
    }

    private static let hasPromtool = access("/usr/bin/promtool", X_OK) == 0

    @Test(.enabled(if: hasPromtool, "promtool is not installed")) func verdictsAreThoseOfPrometheus() throws {
        for text in Self.sound {
            let verdict = try check(text)
            #expect(verdict.tribune && verdict.promtool, "\(text): \(verdict)")
        }
        for text in Self.faulty {
            let verdict = try check(text)
            #expect(!verdict.tribune && !verdict.promtool, "\(text): \(verdict)")
            #expect(!verdict.output.hasPrefix("no place"), "\(text): \(verdict)")
        }
        #expect(Self.sound.count + Self.faulty.count > 130)
    }

    @Test(.enabled(if: hasPromtool, "promtool is not installed")) func differencesFromDebiansVersionAreTheseAlone()
        throws
    {
        for text in Self.soundInNewerVersions + Self.soundSince3 {
            let verdict = try check(text)
            #expect(verdict.tribune && !verdict.promtool, "\(text): \(verdict)")
        }
        for text in Self.refusedByTribune {
            let verdict = try check(text)
            #expect(!verdict.tribune && verdict.promtool, "\(text): \(verdict)")
        }
    }
}
