extension Page {
    /// The invariants after every event; a sentence for each violation.
    public func checkInvariants(roster: Roster) -> [String] {
        var faults: [String] = []
        func require(_ holds: Bool, _ fault: String) { if !holds { faults.append(fault) } }
        switch state {
        case .escalating: break
        case .acknowledged, .snoozed, .resolved:
            require(
                scheduled.isEmpty && outstanding.isEmpty, "calls are scheduled or sent although nobody is to be called")
        }
        require(scheduled.allSatisfy { $0.position < next }, "a call belongs to a step that has not fired")
        require(scheduled.allSatisfy { $0.number <= calls }, "a call has a number that was not given")
        require(
            Set(scheduled.map(\.number)).isDisjoint(with: outstanding.map(\.number)),
            "a call is scheduled and sent at once")
        require(
            (scheduled + outstanding).allSatisfy { $0.failures < Self.attempts }, "a call should have been given up")
        require(Set(scheduled.map(\.number)).count == scheduled.count, "two calls have one number")
        require(
            scheduled.allSatisfy { $0.position.escalation == next.escalation },
            "a call of an escalation that ended is scheduled")
        if let policy = roster.policy(policy) {
            require(next.step <= policy.steps.count * (policy.repeats + 1), "more steps have fired than the policy has")
        }
        return faults
    }
}

extension Page {
    /// Breaks the page, for tests of ``checkInvariants(roster:)``.
    mutating func corrupt(next: Position? = nil, state: State? = nil) {
        if let next { self.next = next }
        if let state { self.state = state }
    }
}
