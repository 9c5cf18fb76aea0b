internal import MetricModel

/// The journal. Going back to the stable version waits for no record; everything that gives a candidate more traffic
/// waits until all records are stored.
extension RolloutController {
    /// The record with this number is stored, so that no earlier one is needed.
    public mutating func journalled(through number: UInt64, in place: JournalPlace, at now: Instant) -> [Action] {
        journal.stored(number, in: place, at: now)
        var actions: [Action] = []
        if journal.hasYielded, journal.trouble(at: now) == nil {
            journal.hasYielded = false
            actions.append(.competeForLease)
        }
        return actions + handle(at: now) { _ in }
    }

    /// The local journal could not be written; the runner tries again until it can, and then calls
    /// ``journalled(through:in:at:)``. Until then candidates only lose traffic.
    public mutating func journalFailed(_ reason: String, at now: Instant) -> [Action] {
        journal.failed(reason, at: now)
        return handle(at: now) { _ in }
    }

    /// Why the local journal cannot be written; `nil` while it can.
    public func journalTrouble(at now: Instant) -> String? {
        journal.trouble(at: now).map { "the journal cannot be written: \($0)" }
    }

    /// Whether every record is stored, so that the next process knows everything.
    package var isJournalled: Bool { journal.isStored }

    /// The number of the last record.
    package var lastRecord: UInt64 { journal.made }

    /// Whether the record with this number, or a later one, is stored.
    package func isJournalled(_ number: UInt64) -> Bool { journal.isStored(number) }

    /// How long this node may keep the lease for shifts that it has not verified.
    private static var yieldPatience: Milliseconds { .seconds(30) }

    /// Notifies people of a journal that cannot be written, and leaves the lease to a node whose disk works, as soon as
    /// the shifts under way are verified.
    mutating func followJournal(at now: Instant) {
        guard let trouble = journal.trouble(at: now) else {
            if let since = journal.waitingSince { wake(at: since + JournalStanding.patience) }
            guard let key = journal.page else { return }
            journal.page = nil
            return resolvePage(key, ": the journal is written again")
        }
        if journal.page == nil {
            let key = "\(plan.name)/journal"
            journal.page = key
            let notice = RollbackNotice(
                plan: plan.name, key: key, kind: .page,
                text: "plan \(plan.name): the journal cannot be written: \(trouble). Rollbacks go on, and nothing is "
                    + "promoted until it can be written", receivers: plan.notify)
            outbox.append(.notify(notice))
        }
        guard !journal.hasYielded else { return }
        let end = (journal.faultSince ?? journal.waitingSince ?? now) + Self.yieldPatience
        if hasUnverifiedShifts, now < end { return wake(at: end) }
        journal.hasYielded = true
        outbox.append(.yieldLease)
    }

    /// Whether a shift to the stable version may be on its way.
    private var hasUnverifiedShifts: Bool {
        state.services.values.contains { service in
            if case .rollingBack(let step) = service.progress { step < .verified } else { false }
        }
    }

    /// The suffix of the key of an operation that changes the weights of `route`: empty for a revision that is stored.
    ///
    /// The next process does not know a revision that is not stored, and may use its number for something else. Retries
    /// keep the key of the first attempt.
    mutating func nonce(for route: RouteID, _ revision: UInt64) -> String {
        if !journal.isStored { self[route].unstoredRevision = revision }
        return self[route].unstoredRevision == revision ? "/\(processNonce)" : ""
    }
}
