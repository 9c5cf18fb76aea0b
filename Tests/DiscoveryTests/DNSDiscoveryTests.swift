import Instrumentation
import MetricModel
import Runtime
import TestSupport
import Testing
import YAML

@testable import Discovery

/// Against dnsmasq.
@Suite struct DNSDiscoveryTests {
    private static let records = [
        "address=/tasks.app.example/10.0.0.1", "address=/tasks.app.example/fd00::1", "host-record=one.example,10.0.0.9",
        "srv-host=_metrics._tcp.app.example,one.example,9100", "srv-host=_metrics._tcp.app.example,two.example,9200",
        "mx-host=mail.example,mx.example,10",
    ]

    private static func withServer(_ body: (DNSDiscovery.Server) throws -> Void) throws {
        let port = Loopback.freePort()
        let directory = TemporaryDirectory()
        directory.write(records.joined(separator: "\n") + "\n", to: "dnsmasq.conf")
        let process = try ChildProcess([
            "/usr/sbin/dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--listen-address=127.0.0.1",
            "--bind-interfaces", "--port=\(port)", "--conf-file=\(directory.file("dnsmasq.conf"))", "--user=root",
            "--pid-file=", "--local=/example/",
        ])
        defer { process.stop() }
        try #require(Loopback.eventually { Loopback.accepts(port: port) })
        try body(DNSDiscovery.Server(address: "127.0.0.1", port: UInt16(port)))
    }

    private static func targets(_ discovery: DNSDiscovery) -> [Labels] {
        let runner = DiscoveryRunner(registry: .init())
        runner.reload([.dns(discovery)])
        defer { runner.stop() }
        return runner.finding(of: .dns(discovery)).groups.values.flatMap { group in
            group.targets.map { group.labels.setting($0) }
        }.sorted { ($0["__address__"] ?? "") < ($1["__address__"] ?? "") }
    }

    @Test func recordsOfEachTypeAreTargets() throws {
        try Self.withServer { server in
            var discovery = DNSDiscovery(names: ["_metrics._tcp.app.example"])
            discovery.server = server
            let name = "_metrics._tcp.app.example"
            #expect(
                Self.targets(discovery) == [
                    [
                        "__address__": "one.example:9100", "__meta_dns_name": name,
                        "__meta_dns_srv_record_port": "9100", "__meta_dns_srv_record_target": "one.example.",
                    ],
                    [
                        "__address__": "two.example:9200", "__meta_dns_name": name,
                        "__meta_dns_srv_record_port": "9200", "__meta_dns_srv_record_target": "two.example.",
                    ],
                ])
            (discovery.names, discovery.type, discovery.port) = (["tasks.app.example"], .a, 8080)
            #expect(
                Self.targets(discovery) == [
                    ["__address__": "10.0.0.1:8080", "__meta_dns_name": "tasks.app.example"]
                ])
            discovery.type = .aaaa
            #expect(
                Self.targets(discovery) == [
                    ["__address__": "[fd00::1]:8080", "__meta_dns_name": "tasks.app.example"]
                ])
            (discovery.names, discovery.type) = (["mail.example"], .mx)
            #expect(
                Self.targets(discovery) == [
                    [
                        "__address__": "mx.example:8080", "__meta_dns_mx_record_target": "mx.example.",
                        "__meta_dns_name": "mail.example",
                    ]
                ])
        }
    }

    @Test func aNameWithoutRecordsHasNoTargetsAndAFailureKeepsThem() throws {
        try Self.withServer { (server) throws in
            let gone = try DNSRecord.query("gone.example", .a, server)
            let without = try DNSRecord.query("one.example", .srv, server)
            #expect(gone.isEmpty && without.isEmpty)
            // Without --local, a server that knows no other server refuses.
            let refused = Result { () throws(DNSFailure) in try DNSRecord.query("elsewhere.test", .a, server) }
            #expect(throws: DNSFailure.self) { try refused.get() }
        }
    }

    @Test(arguments: [
        ("{}", "DNS-SD config must contain at least one SRV record name"),
        ("{names: [a], type: TXT}", "invalid DNS-SD records type TXT"),
        ("{names: [a], type: a}", "a port is required in DNS-SD configs for all record types except SRV"),
        ("{names: [a], port: 70000}", "not a port"),
    ])
    func faultsAreNamed(entry: String, message: String) {
        do throws(YAMLError) {
            _ = try DiscoveryBench.mechanisms("dns_sd_configs: [\(entry)]")
            Issue.record("accepted")
        } catch {
            #expect(error.message == message)
        }
    }
}
