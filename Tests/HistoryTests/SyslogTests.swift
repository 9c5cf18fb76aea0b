import CurlHTTP
import Database
import Instrumentation
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import History
@testable import TLS

/// Ledger entries that a real rsyslog receives.
@Suite struct SyslogTests {
    private let directory = TemporaryDirectory()

    private func configuration(_ destinations: [SyslogDestination]) -> HistoryConfiguration {
        var configuration = HistoryConfiguration(directory: directory.file("history"))
        configuration.syslog = destinations
        configuration.node = "node 1"
        return configuration
    }

    private func event(_ number: Int, subject: String = "rules.yml;g;\"A\"]") -> LedgerEvent {
        LedgerEvent(
            milliseconds: 1_795_953_600_000 + Int64(number), kind: .decision, subject: subject,
            body: ["number": .integer(Int64(number)), "text": "größer \\ \"x\""], incident: "A-1", service: "cart")
    }

    private func value(_ name: String, _ registry: Registry) -> Double {
        registry.snapshot().first { $0.name == name }?.members.reduce(0) { sum, member in
            if case .number(let number) = member.value { return sum + number }
            return sum
        } ?? -1
    }

    /// Waits until the stream has found its first position, so that entries after it are sent.
    private func follows(_ configuration: HistoryConfiguration) -> Bool {
        Loopback.eventually {
            guard let store = try? configuration.openReadingStore() else { return false }
            return (try? store.rows("SELECT 1 FROM stream"))?.count == configuration.syslog.count
        }
    }

    /// The text and the parameters of a line of RFC 5424.
    private func parsed(_ line: String) throws -> (head: [Substring], data: [String: String], text: String) {
        let start = try #require(line.firstRange(of: "[tribune@32473 "))
        let head = line[..<start.lowerBound].split(separator: " ")
        var data: [String: String] = [:]
        var (name, text, isInside, isEscaped) = ("", "", false, false)
        var index = start.upperBound
        while index < line.endIndex {
            let character = line[index]
            index = line.index(after: index)
            if !isInside {
                if character == "]" { break }
                if character == "\"" {
                    isInside = true
                } else if character != " ", character != "=" {
                    name.append(character)
                }
            } else if isEscaped || character != "\\" && character != "\"" {
                text.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                data[name] = text
                (name, text, isInside) = ("", "", false)
            }
        }
        return (head, data, String(line[index...].dropFirst()))
    }

    @Test(arguments: ["udp", "tcp", "tls", "unix"])
    func `a syslog server receives every new entry with its hash`(transport: String) throws {
        guard SyslogServer.program != nil else { return }
        let certificates = Certificates()
        let inputs: [String: SyslogServer.Input] = [
            "udp": .udp, "tcp": .tcp, "tls": .tls(certificates), "unix": .unix,
        ]
        let server = try SyslogServer(try #require(inputs[transport]))
        var tls = TLSOptions()
        tls.authorities = .file(certificates.path("ca.pem"))
        let destination = try #require(SyslogDestination(address: server.address, tls: tls))
        let configuration = configuration([destination])
        let registry = Registry()
        let runner = try HistoryRunner(configuration, logger: .silent, registry: registry)
        defer { runner.stop() }
        try #require(follows(configuration))
        for number in 1...50 { runner.record(event(number)) }
        #expect(Loopback.eventually { server.lines.count >= 50 }, "\(server.lines.count) \(server.log)")
        let entries = try runner.query(LedgerQuery(kinds: [.decision], limit: 100)).reversed()
        #expect(server.lines.count == 50 && entries.count == 50)
        for (line, entry) in zip(server.lines, entries) {
            let (head, data, text) = try parsed(line)
            // 13 (audit) · 8 + 5 (notice)
            #expect(head[0] == "<109>1" && head[2] == "node_1" && head[3] == "tribune" && head[5] == "decision")
            #expect(head[1].hasPrefix("2026-11-29T12:00:00.0"), "\(head[1])")
            #expect(data["sequence"] == "\(entry.sequence)" && data["kind"] == "decision")
            #expect(data["incident"] == "A-1" && data["service"] == "cart")
            #expect(data["subject"] == "rules.yml;g;\"A\"]")
            #expect(text == entry.leaf && data["hash"] == entry.hash)
            #expect(Hexadecimal.text(SHA256.hash([0] + Array(text.utf8))) == entry.hash)
        }
        #expect(Loopback.eventually { self.value("tribune_history_syslog_sent_total", registry) == 50 })
        #expect(Loopback.eventually { self.value("tribune_history_syslog_behind_entries", registry) == 0 })
    }

    @Test(arguments: ["tcp", "tls"])
    func `neither a killed server nor a restart loses an entry`(transport: String) throws {
        guard SyslogServer.program != nil else { return }
        let certificates = Certificates()
        let server = try SyslogServer(transport == "tls" ? .tls(certificates) : .tcp)
        var tls = TLSOptions()
        tls.authorities = .file(certificates.path("ca.pem"))
        let configuration = configuration([try #require(SyslogDestination(address: server.address, tls: tls))])
        let log = Mutex("")
        let logger = Logger { line in log.withLock { $0 += line } }
        var runner = try HistoryRunner(configuration, logger: logger, registry: Registry())
        try #require(follows(configuration))
        for number in 1...20 { runner.record(event(number)) }
        #expect(Loopback.eventually { server.lines.count >= 20 })
        server.stop()
        for number in 21...300 { runner.record(event(number)) }
        #expect(Loopback.eventually { log.withLock { $0 }.contains("ledger entries not sent to syslog") })
        // The process ends while the server is away.
        runner.stop()
        runner = try HistoryRunner(configuration, logger: logger, registry: Registry())
        defer { runner.stop() }
        for number in 301...320 { runner.record(event(number)) }
        try server.start()
        func numbers() -> [Int64] {
            server.lines.compactMap { line in
                guard let text = try? parsed(line).text else { return nil }
                return (try? JSON(parsing: Array(text.utf8)))?["body"]?["number"]?.integer
            }
        }
        #expect(Loopback.eventually(within: 60) { Set(numbers()).isSuperset(of: 1...320) }, "\(numbers().count)")
        // In order, apart from repetitions.
        var seen: Set<Int64> = []
        #expect(numbers().filter { seen.insert($0).inserted } == Array(1...320))
        log.withLock { $0 = "" }
        server.stop()
        runner.record(event(321))
        #expect(Loopback.eventually { log.withLock { $0 }.contains("ledger entries not sent to syslog") })
        try server.start()
        #expect(Loopback.eventually(within: 60) { numbers().contains(321) })
        #expect(Loopback.eventually { log.withLock { $0 }.contains("ledger entries are sent again") })
    }

    @Test func `a server that is away delays no record`() throws {
        let destination = try #require(SyslogDestination(address: "tcp://127.0.0.1:\(Loopback.freePort())"))
        let registry = Registry()
        let runner = try HistoryRunner(configuration([destination]), logger: .silent, registry: registry)
        let start = SystemClock.monotonicNanoseconds()
        for number in 1...1000 { runner.record(event(number)) }
        #expect(runner.drain(timeout: 20_000))
        #expect(SystemClock.monotonicNanoseconds() - start < 20_000_000_000)
        runner.stop()
        #expect(value("tribune_history_syslog_sent_total", registry) == 0)
    }

    @Test func `entries that are too long have no text, and datagrams that are too long are counted`() throws {
        guard SyslogServer.program != nil else { return }
        let server = try SyslogServer(.udp)
        var short = try #require(SyslogDestination(address: server.address))
        short.maximumBytes = 1000
        short.kinds = [.decision]
        var long = try #require(SyslogDestination(address: server.address.replacing("127.0.0.1", with: "localhost")))
        long.maximumBytes = 1 << 20
        let configuration = configuration([short, long])
        let registry = Registry()
        let runner = try HistoryRunner(configuration, logger: .silent, registry: registry)
        defer { runner.stop() }
        try #require(follows(configuration))
        runner.record(
            LedgerEvent(
                milliseconds: 1, kind: .decision, subject: "big",
                body: ["text": .string(String(repeating: "x", count: 100_000))]))
        runner.record(LedgerEvent(milliseconds: 2, kind: .silence, subject: "not chosen", body: [:]))
        #expect(Loopback.eventually { server.lines.count >= 2 }, "\(server.lines)")
        let lines = try server.lines.map(parsed)
        let omitted = try #require(lines.first { $0.data["omitted"] != nil })
        #expect(omitted.text == "" && omitted.data["kind"] == "decision")
        #expect((omitted.data["omitted"].flatMap { Int($0) } ?? 0) > 100_000)
        #expect(lines.count { $0.data["kind"] == "silence" } == 1)
        #expect(value("tribune_history_syslog_dropped_total", registry) == 1)
    }

    @Test func `another certificate is refused`() throws {
        guard SyslogServer.program != nil else { return }
        let server = try SyslogServer(.tls(Certificates()))
        let destination = try #require(SyslogDestination(address: server.address))
        let log = Mutex("")
        let configuration = configuration([destination])
        let runner = try HistoryRunner(
            configuration, logger: Logger { line in log.withLock { $0 += line } }, registry: Registry())
        defer { runner.stop() }
        try #require(follows(configuration))
        runner.record(event(1))
        #expect(Loopback.eventually { log.withLock { $0 }.contains("ledger entries not sent to syslog") })
        #expect(log.withLock { $0 }.contains("certificate"), "\(log.withLock { $0 })")
        #expect(server.lines.isEmpty)
    }

    @Test func `addresses`() {
        func transport(_ address: String) -> SyslogDestination.Transport? {
            SyslogDestination(address: address)?.transport
        }
        #expect(transport("udp://logs") == .udp(host: "logs", port: 514))
        #expect(transport("tcp://logs:1514") == .stream(.network(host: "logs", port: 1514, tls: nil)))
        #expect(transport("tls://[::1]") == .stream(.network(host: "::1", port: 6514, tls: TLSOptions())))
        #expect(transport("unix:///dev/log") == .unix(path: "/dev/log"))
        for wrong in ["logs", "udp://", "udp://a:0", "udp://a:x", "tcp://a b", "unix://log", "http://a", "tcp://[::1"] {
            #expect(transport(wrong) == nil, "\(wrong)")
        }
    }
}
