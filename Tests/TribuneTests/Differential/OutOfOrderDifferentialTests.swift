import Glibc
import Runtime
import Snappy
import TestSupport
import Testing

/// Samples that arrive late by remote write, at Debian's Prometheus and at Tribune with one configuration.
@Suite struct OutOfOrderDifferentialTests {
    private static let isThere = access("/usr/bin/prometheus", X_OK) == 0
    private static let configuration = "storage: {tsdb: {out_of_order_time_window: 30m}}\n"

    private static func message(_ series: Int, _ time: Int64, _ value: Double) -> [UInt8] {
        var request = ProtobufMessage()
        request.message(1) { message in
            for (name, text) in [("__name__", "late"), ("i", "\(series)")] {
                message.message(1) {
                    $0.bytes(1, Array(name.utf8))
                    $0.bytes(2, Array(text.utf8))
                }
            }
            message.message(2) {
                $0.double(1, value)
                $0.number(2, UInt64(bitPattern: time))
            }
        }
        return Snappy.compress(request.content)
    }

    @Test(.enabled(if: isThere, "Debian's prometheus is not installed"))
    func lateSamplesAreStoredAndRefusedAsByPrometheus() throws {
        let theirs = try ComparedServer.prometheus(configuration: Self.configuration)
        let ours = try ComparedServer.tribune(configuration: Self.configuration)
        var generator = SystemRandomNumberGenerator()
        let now = SystemClock.wallMilliseconds()
        var used: Set<[Int64]> = []
        var stored = 0
        var refused = 0
        for step in 0..<300 {
            let series = Int.random(in: 0..<3, using: &generator)
            // The newest sample of the store is written first; the others are up to 40 minutes older.
            let age = step == 0 ? 0 : Int64.random(in: 1..<2_400, using: &generator)
            guard used.insert([Int64(series), age]).inserted else { continue }
            let message = Self.message(series, now - age * 1000, Double(step))
            let (wanted, answer) = (try theirs.answer(to: message), try ours.answer(to: message))
            if wanted.text.contains("too old sample") {
                refused += 1
                // 2.42 answers 500, after which senders try again and again; newer versions answer 400.
                #expect(wanted.status == 500 && answer.status == 400 && answer.text.contains("too old sample"))
            } else {
                stored += 1
                #expect((wanted.status, answer.status) == (204, 204), "\(age) s old: \(wanted) | \(answer)")
            }
        }
        #expect(stored > 100 && refused > 20, "\(stored) stored, \(refused) refused")
        let seconds = now / 1000
        for query in [
            "late[1h]", "count_over_time(late[1h])", "sum(late)", "max_over_time(late[20m])", "late offset 10m",
            "changes(late[30m] offset 5m)",
        ] {
            let parameters = [("query", query), ("time", "\(seconds)")].map { (name: $0.0, value: $0.1) }
            let wanted = try theirs.ask("query", parameters)
            let answer = try ours.ask("query", parameters)
            #expect(answer.agrees(with: wanted), "\(query)\nPrometheus: \(wanted)\nTribune: \(answer)")
        }
        let range = [
            ("query", "sum by (i) (late)"), ("start", "\(seconds - 3600)"), ("end", "\(seconds)"), ("step", "17"),
        ].map { (name: $0.0, value: $0.1) }
        #expect(try ours.ask("query_range", range).agrees(with: theirs.ask("query_range", range)))
    }
}
