internal import Instrumentation
internal import Rollback
internal import Synchronization

/// Tribune's own metrics of verdicts.
final class VerdictInstruments: Sendable {
    private let registry: Registry
    private let answers: [VerdictStanding.Verdict: Counter]
    /// The gauges there are, by verdict and value.
    private let shown = Mutex<[String: VerdictStanding.Verdict]>([:])
    private static let name = "tribune_verdict_state"

    init(_ registry: Registry) {
        self.registry = registry
        answers = Dictionary(
            uniqueKeysWithValues: VerdictStanding.Verdict.allCases.map { verdict in
                (
                    verdict,
                    registry.counter(
                        "tribune_verdict_answers_total", "Questions of other controllers that were answered.",
                        labels: ["verdict": verdict.rawValue])
                )
            })
    }

    /// A question was answered.
    func answered(_ reply: VerdictReply) { answers[reply.standing.verdict]?.add() }

    /// The verdicts as they stand.
    func judged(_ standings: [VerdictStanding]) {
        let now = Dictionary(uniqueKeysWithValues: standings.map { ($0.name, $0.verdict) })
        let before = shown.withLock { shown in
            defer { shown = now }
            return shown
        }
        if now == before { return }
        for (name, verdict) in before where now[name] != verdict {
            registry.remove(Self.name, labels: ["verdict": name, "state": verdict.rawValue])
        }
        for (name, verdict) in now where before[name] != verdict {
            registry.gauge(
                Self.name, "A constant 1, labelled with what can be said about the release of the verdict.",
                labels: ["verdict": name, "state": verdict.rawValue]
            ).set(1)
        }
    }
}
