public import MetricModel

extension PageBook {
    /// When somebody is called next about a page by itself; `nil` if nobody will be: it is answered, held, or all steps
    /// of all rounds have fired.
    public func nextCall(of entry: Entry) -> Timestamp? {
        guard entry.page.state == .escalating, entry.hold == nil else { return nil }
        if !entry.page.scheduled.isEmpty { return entry.wakeAt }
        guard let policy = roster.policy(entry.page.policy),
            entry.page.next.step < policy.steps.count * (policy.repeats + 1)
        else { return nil }
        return entry.wakeAt
    }
}
