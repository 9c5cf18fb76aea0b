public import MetricModel

extension PageBook {
    /// When a digest is due. Not stored: one whose time passes while no process acts is left out.
    struct DigestDue: Equatable, Sendable {
        /// The end of its time.
        var until: Timestamp
        /// When it is sent; later than its end after a failure.
        var at: Timestamp
        var failures = 0
    }

    /// The most attempts to send a digest, and the time between them.
    private static let attempts = (count: 10, pause: Milliseconds.minutes(1))

    /// Makes the times of digests those of the roster.
    mutating func expectDigests(at now: Timestamp) {
        for (name, digest) in roster.digests where digestDues[name] == nil {
            let time = digest.next(after: now)
            digestDues[name] = DigestDue(until: time, at: time)
        }
        for name in digestDues.keys where roster.digests[name] == nil { digestDues[name] = nil }
    }

    /// The digests that are due; one without pages is not sent.
    mutating func dueDigests(at now: Timestamp) -> [Action] {
        expectDigests(at: now)
        var actions: [Action] = []
        for digest in roster.digests.values.sorted(by: { $0.name < $1.name }) {
            guard let due = digestDues[digest.name], due.at <= now else { continue }
            let next = digest.next(after: now)
            digestDues[digest.name] = DigestDue(until: next, at: next)
            let from = digest.previous(before: due.until)
            let pages = entries.values.filter { entry in
                from <= entry.page.openedAt && entry.page.openedAt < due.until
                    && roster.policy(entry.problem.policy)?.digests.contains(digest.name) == true
            }
            if pages.isEmpty { continue }
            let sorted = pages.sorted { ($0.page.openedAt, $0.page.id) < ($1.page.openedAt, $1.page.id) }
            actions.append(
                .sendDigest(
                    DigestContent(digest: digest, entries: sorted, until: due.until, failures: due.failures)))
        }
        return actions
    }

    /// A digest could not be sent: it is tried again some times.
    public mutating func digestFailed(_ content: DigestContent, at now: Timestamp) {
        guard roster.digests[content.digest.name] != nil, content.failures + 1 < Self.attempts.count else { return }
        digestDues[content.digest.name] = DigestDue(
            until: content.until, at: now + Self.attempts.pause, failures: content.failures + 1)
    }
}
