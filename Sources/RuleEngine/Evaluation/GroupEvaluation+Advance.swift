internal import MetricModel
internal import PromQL
internal import RuleModel

extension GroupEvaluation {
    /// Evaluates the alerting rules at the scrape committed at `time`, between two evaluations by the clock.
    ///
    /// Alerts only advance: new ones appear, and pending ones fire when their `for` is over. Everything else waits for
    /// the next evaluation by the clock: alerts whose condition does not hold, recorded series, `ALERTS`, the health of
    /// rules. Recording rules that an alerting rule of the group reads are evaluated into memory.
    ///
    /// - Returns: the number of rules that failed; they do not advance.
    @discardableResult
    func advance(at time: Timestamp, from source: any Queryable, into sink: any RuleSink) -> Int {
        let overlay = OverlaidSource(base: source, overlay: MemorySource(), metrics: recordedForAlerts)
        var failures = 0
        for index in group.rules.indices where advances[index] {
            do throws(RuleFailure) {
                switch group.rules[index] {
                case .recording(let rule):
                    record(
                        try recording(rule, index, at: time, from: .store(overlay)), index, into: overlay.overlay,
                        at: time)
                case .alerting(let rule):
                    // Before the first evaluation by the clock the alerts of the last run are not restored.
                    guard states[index].isRestored, states[index].lastEvaluation != nil else { continue }
                    try advance(
                        rule, index, at: time, from: .store(recordedForAlerts.isEmpty ? source : overlay), into: sink)
                case .rollback: break
                }
            } catch {
                failures += 1
            }
        }
        return failures
    }

    /// Adds what a recording rule yields to `overlay`, and the ends of the series that it yields no more.
    private func record(
        _ samples: [RuleSample], _ index: Int, into overlay: MemorySource, at time: Timestamp
    ) {
        let at = time - offset
        for sample in samples {
            let value =
                sample.histogram.map { MemorySource.Sample(time: at, histogram: $0) }
                ?? MemorySource.Sample(time: at, value: sample.value)
            overlay.append(value, to: sample.labels)
        }
        for labels in states[index].stored.subtracting(samples.map(\.labels)) {
            overlay.append(MemorySource.Sample(time: at, value: .staleMarker), to: labels)
        }
    }

    /// For each rule, whether it is evaluated between two evaluations by the clock: alerting rules, and recording rules
    /// that they may read, also through others.
    static func advancing(_ rules: [Rule]) -> [Bool] {
        var advances = [Bool](repeating: false, count: rules.count)
        for index in rules.indices.reversed() {
            switch rules[index] {
            case .alerting: advances[index] = true
            case .rollback: break
            case .recording(let rule):
                advances[index] = rules.indices.dropFirst(index + 1).contains {
                    advances[$0] && rules[$0].mayRead(anyOf: [rule.name])
                }
            }
        }
        return advances
    }
}
