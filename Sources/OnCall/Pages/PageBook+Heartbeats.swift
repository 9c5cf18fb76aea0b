public import MetricModel

extension PageBook {
    /// When each program reported last. One that never did counts from when it was first expected.
    mutating func expectHeartbeats(at now: Timestamp) {
        for name in roster.heartbeats.keys where beats[name] == nil { noteBeat(name, at: now) }
        for name in beats.keys where roster.heartbeats[name] == nil { noteBeat(name, at: nil) }
    }

    /// A program has reported: its page ends.
    public mutating func beat(_ name: String, at now: Timestamp) -> [Action] {
        guard let heartbeat = roster.heartbeats[name] else { return [] }
        noteBeat(name, at: now)
        return ended(heartbeat.problemKey, by: "heartbeat \(name)", at: now)
    }

    /// When the next report is missing.
    var heartbeatWakeAt: Timestamp? {
        roster.heartbeats.values.lazy.compactMap { heartbeat in
            open[heartbeat.problemKey] == nil ? beats[heartbeat.name].map { $0 + heartbeat.timeout } : nil
        }.min()
    }

    /// Opens the pages of programs that have not reported in time.
    mutating func checkHeartbeats(at now: Timestamp) -> [Action] {
        var actions: [Action] = []
        for heartbeat in roster.heartbeats.values.sorted(by: { $0.name < $1.name }) {
            guard open[heartbeat.problemKey] == nil, let last = beats[heartbeat.name],
                last + heartbeat.timeout <= now
            else { continue }
            let problem = Problem(
                key: heartbeat.problemKey, title: "\(heartbeat.name) has not reported for \(heartbeat.timeout)",
                severity: heartbeat.severity, source: heartbeat.problemKey, policy: heartbeat.policy)
            // A page that was resolved by hand is opened again after the same time.
            noteBeat(heartbeat.name, at: now)
            actions += triggered(problem, id: "hb-\(heartbeat.name)-\(String(now.milliseconds, radix: 36))", at: now)
        }
        return actions
    }
}
