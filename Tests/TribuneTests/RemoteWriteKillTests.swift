import CurlHTTP
import Glibc
import JSON
import Runtime
import Snappy
import TestSupport
import Testing

/// Two real Tribunes, of which one sends its samples to the other. They are killed (SIGKILL) in turn while samples
/// arrive. `TRIBUNE_REMOTE_WRITE_KILLS` sets how often.
@Suite struct RemoteWriteKillTests {
    private static let kills = getenv("TRIBUNE_REMOTE_WRITE_KILLS").flatMap { Int(String(cString: $0)) } ?? 6
    private static let series = 200
    private static let rowsPerRound = 5

    /// A request with the rows of a round.
    private func request(_ round: Int, from start: Int64) -> [UInt8] {
        let message = TestSupport.ProtobufMessage.make { message in
            for number in 0..<Self.series {
                message.message(1) { series in
                    for (name, value) in [
                        ("__name__", "fed"), ("instance", "i\(number % 3)"), ("job", "feed"), ("n", "\(number)"),
                    ] {
                        series.message(1) {
                            $0.text(1, name)
                            $0.text(2, value)
                        }
                    }
                    for row in 0..<Self.rowsPerRound {
                        series.message(2) {
                            $0.double(1, Double(round * Self.rowsPerRound + row) + Double(number) / 1000)
                            $0.number(2, UInt64(start) + UInt64(round * Self.rowsPerRound + row) * 100)
                        }
                    }
                }
            }
            message.message(1) { series in
                series.message(1) {
                    $0.text(1, "__name__")
                    $0.text(2, "fed_seconds")
                }
                for row in round * Self.rowsPerRound..<(round + 1) * Self.rowsPerRound {
                    series.message(4) {
                        $0.number(1, UInt64(row + 1))
                        $0.double(3, Double(row) / 2)
                        $0.double(5, 0.001)
                        $0.number(6, UInt64(row + 1))
                        $0.number(15, UInt64(start) + UInt64(row) * 100)
                    }
                }
            }
        }
        return Snappy.compress(message)
    }

    /// Whether the server stored all of it. Repeated samples are no error.
    private func feed(_ body: [UInt8], to port: Int) -> Bool {
        let request = HTTPRequest(
            method: "POST", url: "http://127.0.0.1:\(port)/api/v1/write",
            headers: [("Content-Type", "application/x-protobuf"), ("Content-Encoding", "snappy")], body: body)
        guard let status = try? HTTPClient().send(request).status else { return false }
        // Rows that were stored before a crash are out of order in the repeated request.
        return status == 204 || status == 400
    }

    @Test(arguments: ["prometheus.WriteRequest", "io.prometheus.write.v2.Request"])
    func nothingIsMissingAfterKills(message: String) throws {
        let receiver = try RunningTribune(
            ["prometheus.yml": "scrape_configs: []\n"], config: "prometheus.yml",
            flags: ["--web.enable-remote-write-receiver"])
        let sender = try RunningTribune(
            [
                "prometheus.yml": """
                remote_write:
                - url: http://127.0.0.1:\(receiver.port)/api/v1/write
                  name: other
                  protobuf_message: \(message)
                  send_native_histograms: true
                  queue_config: {max_samples_per_send: 300, batch_send_deadline: 100ms, min_shards: 2}
                """
            ], config: "prometheus.yml", flags: ["--web.enable-remote-write-receiver"])
        let start = SystemClock.wallMilliseconds() - 600_000
        let rounds = Self.kills * 3
        for round in 0..<rounds {
            let body = request(round, from: start)
            if round % 3 == 1 {
                let victim = round % 2 == 0 ? sender : receiver
                victim.process.signal(SIGKILL)
                _ = victim.process.wait()
                if victim === receiver { #expect(feed(body, to: sender.port)) }
                try victim.restart()
            }
            #expect(Loopback.eventually { feed(body, to: sender.port) })
        }
        let time = (start + Int64(rounds * Self.rowsPerRound) * 100) / 1000 + 1
        let window = rounds * Self.rowsPerRound / 10 + 60
        func figures(_ port: Int) throws -> [String] {
            let histograms = "fed_seconds[\(window)s]"
            let expression =
                "count_over_time(fed[\(window)s])%20%2B%20sum_over_time(fed[\(window)s])%20or%20"
                + "count_over_time(\(histograms))%20%2B%20histogram_count(sum_over_time(\(histograms)))"
            let answer = try HTTPClient().send(
                HTTPRequest(url: "http://127.0.0.1:\(port)/api/v1/query?query=\(expression)&time=\(time)"))
            let result = try JSON(parsing: answer.body)["data"]?["result"]?.elements ?? []
            return result.map(\.encoded).sorted()
        }
        let wanted = try figures(sender.port)
        #expect(wanted.count == Self.series + 1)
        let isComplete = try Loopback.eventually { try figures(receiver.port) == wanted }
        let found = try figures(receiver.port)
        let missing = wanted.filter { !found.contains($0) }
        let others = found.filter { !wanted.contains($0) }
        #expect(
            isComplete, "\(missing.count): \(missing.prefix(2)), not \(others.prefix(2)); \(sender.log.suffix(2000))")
    }
}
