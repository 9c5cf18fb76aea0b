import Identity
import TestSupport
import Testing

@Suite struct AnomalyScoresTests {
    private static let second: Int64 = 1_000_000_000
    private static let day: Int64 = 86_400 * second

    /// A client that does things of its kind.
    private struct Client {
        var name: String
        /// Its failures and their times, within a month.
        var mishaps: [(at: Int64, AnomalyScores.Evidence, String)]
    }

    /// A month of ordinary clients: people with typos and forgotten passwords, dashboards with expired tokens, programs
    /// with an old path, many readers without any trouble.
    private static func ordinary(_ count: Int, _ random: inout SeededGenerator) -> [Client] {
        (0..<count).map { number in
            var mishaps: [(at: Int64, AnomalyScores.Evidence, String)] = []
            func add(_ at: Int64, _ evidence: AnomalyScores.Evidence, _ detail: String) {
                if at < 30 * day { mishaps.append((at, evidence, detail)) }
            }
            for today in Int64(0)..<30 {
                let morning = today * day + Int64.random(in: 6...10, using: &random) * 3600 * second
                func moment() -> Int64 { morning + Int64.random(in: 0...36_000, using: &random) * second }
                switch number % 5 {
                case 0:  // A person: a typo in a path, a bad query, a forbidden button, sometimes a wrong password.
                    for _ in 0..<Int.random(in: 0...6, using: &random) {
                        add(moment(), .clientError, "query \(Int.random(in: 0...99, using: &random))")
                    }
                    for _ in 0..<Int.random(in: 0...3, using: &random) {
                        add(moment(), .unknownRoute, "/typo\(Int.random(in: 0...99, using: &random))")
                    }
                    if Int.random(in: 0...4, using: &random) == 0 { add(moment(), .denied, "/-/reload") }
                    if Int.random(in: 0...6, using: &random) == 0 {
                        let at = moment()
                        for attempt in Int64(0)..<2 { add(at + attempt * 5 * second, .failedLogin, "p\(attempt)") }
                    }
                case 1 where today % 7 == 3:  // A dashboard whose token ends: eight panels every five seconds, an hour.
                    for step in Int64(0)..<720 {
                        for panel in 0..<8 { add(morning + step * 5 * second, .denied, "/api/v1/query \(panel)") }
                        add(morning + step * 5 * second, .failedLogin, "the same token")
                    }
                case 2 where today == 5:  // A scrape of a path that is gone, for a day.
                    for step in Int64(0)..<5760 { add(morning + step * 15 * second, .unknownRoute, "/old/metrics") }
                case 3 where today % 9 == 0:  // A script in a loop that is too fast.
                    for step in Int64(0)..<40 { add(morning + step * second, .tooManyRequests, "limit") }
                case _: break
                }
            }
            return Client(name: "client \(number)", mishaps: mishaps.sorted { $0.at < $1.at })
        }
    }

    /// Whether a client is blocked, and by which of its mishaps.
    private static func blocked(_ client: Client, _ scores: inout AnomalyScores) -> Int? {
        let key = Lockouts.Key(name: "", address: client.name)
        for (index, (at, evidence, detail)) in client.mishaps.enumerated()
        where scores.observed(evidence, detail, of: key, .standard, at: at) != nil {
            return index + 1
        }
        return nil
    }

    @Test func ordinaryUseIsNotBlocked() {
        var random = SeededGenerator()
        var scores = AnomalyScores()
        let clients = Self.ordinary(500, &random)
        let wrong = clients.filter { Self.blocked($0, &scores) != nil }
        #expect(wrong.count < 25, "\(wrong.map(\.name)), seed \(random.seed)")
        #expect(clients.reduce(0) { $0 + $1.mishaps.count } > 100_000)
    }

    @Test func attackersAreBlockedWithinAHundredRequests() {
        var random = SeededGenerator()
        var scores = AnomalyScores()
        let kinds: [(String, AnomalyScores.Evidence)] = [
            ("scanner", .unknownRoute), ("guesser of passwords", .failedLogin), ("guesser of tokens", .failedLogin),
            ("prober of permissions", .denied), ("fuzzer of queries", .clientError),
        ]
        var caught = 0
        for number in 0..<500 {
            let (name, evidence) = kinds[number % kinds.count]
            // Some wait up to five seconds between attempts, and half of what they do looks harmless.
            let pause = Int64.random(in: 0...5000, using: &random) * 1_000_000
            var mishaps: [(at: Int64, AnomalyScores.Evidence, String)] = []
            var requests = 0
            while requests < 100 {
                requests += 1
                if Int.random(in: 0...3, using: &random) == 0 { continue }
                mishaps.append((Int64(requests) * pause, evidence, "\(Int.random(in: 0...100_000, using: &random))"))
            }
            if Self.blocked(Client(name: "\(name) \(number)", mishaps: mishaps), &scores) != nil { caught += 1 }
        }
        #expect(caught >= 475, "seed \(random.seed)")
    }

    @Test func aBlockEndsAndCanBeEnded() {
        var scores = AnomalyScores()
        let key = Lockouts.Key(name: "", address: "a")
        var blocked: Double?
        for number in 0..<20 where blocked == nil {
            blocked = scores.observed(.unknownRoute, "/\(number)", of: key, .standard, at: 0)
        }
        #expect((0.8...0.85).contains(blocked ?? 0))
        #expect(scores.remaining(key, at: 0) == 900 * Self.second && scores.blockedCount(at: 0) == 1)
        #expect(scores.remaining(.init(name: "", address: "b"), at: 0) == nil)
        #expect(scores.remaining(key, at: 901 * Self.second) == nil)
        #expect(scores.score(of: key, at: 3600 * Self.second) < 0.1, "and is forgotten")
        let isPardoned = scores.pardon(address: "a", at: 0)
        #expect(isPardoned && scores.remaining(key, at: 0) == nil && scores.score(of: key, at: 0) == 0)
    }

    @Test func aThresholdAboveOneBlocksNobodyAndManyClientsDoNotFillTheMemory() {
        var scores = AnomalyScores(capacity: 100)
        for number in 0..<1000 {
            let key = Lockouts.Key(name: "", address: "\(number % 500)")
            let blocked = scores.observed(
                .failedLogin, "\(number)", of: key, .init(threshold: 2, nanoseconds: 1), at: 0)
            #expect(blocked == nil)
        }
        #expect(scores.forgotten > 0)
    }
}
