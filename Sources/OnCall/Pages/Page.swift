public import MetricModel

/// One problem that somebody must act on, from its opening to its resolution. A value.
///
/// The machine of escalation: time is passed in, and actions are returned for a shell to carry out. The shell stores
/// the page before it carries actions out, and reports which calls were delivered. So a step fires once, whatever
/// crashes, and ``resume()`` returns the calls whose delivery is unknown.
public struct Page: Equatable, Sendable {
    /// The state of a page.
    public enum State: Equatable, Sendable {
        /// Steps fire. To: `acknowledged`, `snoozed`, `resolved`.
        case escalating
        /// Somebody acts; nobody is called. To: `escalating` when the time is over, `snoozed`, `resolved`.
        case acknowledged(by: String, until: Timestamp?)
        /// Nobody is called for some time. To: `escalating` when it is over, `acknowledged`, `resolved`.
        case snoozed(by: String, until: Timestamp)
        /// The problem is over. No exit: a problem that comes back is a new page.
        case resolved(at: Timestamp)
    }

    /// A message that is due or will be.
    public struct Call: Equatable, Sendable {
        /// The number of the call in this page, from 1. With the page it identifies the message.
        public var number: Int
        /// Whom it is for; `nil` for a receiver that the policy names.
        public var person: String?
        /// The receiver that delivers it.
        public var receiver: String
        /// When it is to be sent.
        public var at: Timestamp
        /// The escalation and the step that it belongs to.
        public var position: Position
        /// How often its delivery has failed.
        public var failures = 0
    }

    /// A place in the order in which steps fire.
    public struct Position: Equatable, Comparable, Sendable {
        /// Counts escalations of the page: its opening, and each end of an acknowledgement or a snooze.
        public var escalation: Int
        /// Counts steps within the escalation, over all its rounds.
        public var step: Int

        /// Whether `left` fires before `right`.
        public static func < (left: Position, right: Position) -> Bool {
            (left.escalation, left.step) < (right.escalation, right.step)
        }
    }

    /// Something the shell has to do.
    public enum Action: Equatable, Sendable {
        /// Send the call.
        case send(Call)
        /// Say to these receivers, which had a call, that the page is resolved.
        case sendResolved([String])
        /// Call ``clockReached(_:roster:)`` at this time.
        case wake(Timestamp)
        /// All rounds are over and nobody has acknowledged: somebody else must hear of it.
        case unanswered
        /// A step fired and there was nobody to call.
        case unreachable(Position)
        /// The call was given up: its receiver did not take it.
        case undelivered(Call)
    }

    /// Attempts of a call before it is given up. With the delays between them they take about ten minutes.
    public static let attempts = 14

    /// The name of the page, unique for ever.
    public let id: String
    /// The key of the problem at its source; at most one open page has it.
    public let key: String
    /// The policy that is followed.
    public internal(set) var policy: String
    /// When the page was opened.
    public let openedAt: Timestamp
    /// Its state.
    public internal(set) var state = State.escalating
    /// The next step to fire.
    public internal(set) var next = Position(escalation: 0, step: 0)
    /// When the current escalation began.
    public internal(set) var escalationStart: Timestamp
    /// Calls that are not due yet.
    public internal(set) var scheduled: [Call] = []
    /// Calls that are being sent: their delivery has not been reported.
    public internal(set) var outstanding: [Call] = []
    /// The receivers that had a call.
    public internal(set) var notified: [String] = []
    /// The number of calls so far, scheduled ones included.
    public internal(set) var calls = 0
    /// Whether the end of all rounds was reported for the current escalation.
    public internal(set) var isUnanswered = false

    /// A page that is opened at `now`.
    public init(id: String, key: String, policy: String, at now: Timestamp) {
        self.id = id
        self.key = key
        self.policy = policy
        openedAt = now
        escalationStart = now
    }

    /// Whether the page is resolved.
    public var isResolved: Bool { if case .resolved = state { true } else { false } }

    // MARK: Events

    /// Time has passed. Fires every step and sends every call that is due.
    public mutating func clockReached(_ now: Timestamp, roster: Roster) -> [Action] {
        switch state {
        case .resolved: return []
        case .acknowledged(_, let until?) where until <= now, .snoozed(_, let until) where until <= now:
            beginEscalation(at: now)
        case .acknowledged(_, let until): return until.map { [.wake($0)] } ?? []
        case .snoozed(_, let until): return [.wake(until)]
        case .escalating: break
        }
        guard let policy = roster.policy(policy) else {
            // A reload took the policy away: somebody else must hear of it, once.
            defer { isUnanswered = true }
            return isUnanswered ? [] : [.unanswered]
        }
        // The policy is back, or has more steps than before.
        if isUnanswered, policy.end(of: escalationStart) > now { isUnanswered = false }
        var actions: [Action] = []
        while let due = policy.due(next.step, from: escalationStart), due <= now {
            actions += fire(policy, roster, at: now)
        }
        for call in scheduled where call.at <= now {
            if !notified.contains(call.receiver) { notified.append(call.receiver) }
            outstanding.append(call)
            actions.append(.send(call))
        }
        scheduled.removeAll { $0.at <= now }
        let nextStep = policy.due(next.step, from: escalationStart)
        if nextStep == nil, !isUnanswered, policy.end(of: escalationStart) <= now {
            isUnanswered = true
            actions.append(.unanswered)
        }
        var times = scheduled.map(\.at)
        if let nextStep {
            times.append(nextStep)
        } else if !isUnanswered {
            times.append(policy.end(of: escalationStart))
        }
        if let time = times.min() { actions.append(.wake(time)) }
        return actions
    }

    /// The receiver has taken the call.
    public mutating func callEnded(_ number: Int) { outstanding.removeAll { $0.number == number } }

    /// The receiver did not take the call: it is sent again later, or given up. Nothing happens if the call is no
    /// longer wanted.
    ///
    /// - Parameter isFinal: whether another attempt is useless.
    public mutating func callFailed(_ number: Int, isFinal: Bool, at now: Timestamp) -> [Action] {
        guard let index = outstanding.firstIndex(where: { $0.number == number }) else { return [] }
        var call = outstanding.remove(at: index)
        call.failures += 1
        guard !isFinal, call.failures < Self.attempts else { return [.undelivered(call)] }
        call.at = now + Self.pause(after: call.failures)
        scheduled.append(call)
        return [.wake(call.at)]
    }

    /// The time from a failure of a call to its next attempt: 1 s, doubled up to a minute.
    private static func pause(after failures: Int) -> Milliseconds {
        min(.seconds(1) * (Int64(1) << Int64(min(failures - 1, 6))), .minutes(1))
    }

    /// The clock was set by `span`: delays go on as if it had not been. A snooze keeps its end, which a person chose by
    /// the clock.
    public mutating func clockWasSet(by span: Milliseconds) {
        escalationStart = escalationStart + span
        for index in scheduled.indices { scheduled[index].at = scheduled[index].at + span }
        for index in outstanding.indices { outstanding[index].at = outstanding[index].at + span }
        if case .acknowledged(let person, let until?) = state {
            state = .acknowledged(by: person, until: until + span)
        }
    }

    /// The calls to send again after a restart: those whose delivery is unknown.
    public func resume() -> [Action] { outstanding.map { .send($0) } }

    /// Somebody acts on the page. `nil` if it is resolved.
    public mutating func acknowledge(by person: String, at now: Timestamp, roster: Roster) -> [Action]? {
        guard !isResolved else { return nil }
        let timeout = roster.policy(policy)?.acknowledgementTimeout
        stopCalls()
        state = .acknowledged(by: person, until: timeout.map { now + $0 })
        return timeout.map { [.wake(now + $0)] } ?? []
    }

    /// Nobody is to be called until `until`. `nil` if the page is resolved.
    public mutating func snooze(by person: String, until: Timestamp) -> [Action]? {
        guard !isResolved else { return nil }
        stopCalls()
        state = .snoozed(by: person, until: until)
        return [.wake(until)]
    }

    /// The problem is over. `nil` if it was before.
    public mutating func resolve(at now: Timestamp) -> [Action]? {
        guard !isResolved else { return nil }
        stopCalls()
        state = .resolved(at: now)
        return notified.isEmpty ? [] : [.sendResolved(notified)]
    }

    /// Nobody is called for now, without an answer of a person.
    mutating func hold() { stopCalls() }

    /// A new escalation begins at `now`, which may be in the future.
    mutating func release(at now: Timestamp) { beginEscalation(at: now) }

    /// The escalation goes on where it was held `span` ago.
    mutating func goOn(after span: Milliseconds) { escalationStart = escalationStart + span }

    /// Another policy is followed from its first step on. `nil` if the page is resolved.
    public mutating func reassign(to policy: String, at now: Timestamp, roster: Roster) -> [Action]? {
        guard !isResolved else { return nil }
        self.policy = policy
        beginEscalation(at: now)
        return clockReached(now, roster: roster)
    }

    /// The next step fires now, whatever its delay. `nil` if the page is resolved or no step is left.
    public mutating func escalate(at now: Timestamp, roster: Roster) -> [Action]? {
        guard !isResolved, let policy = roster.policy(policy) else { return nil }
        if state != .escalating { beginEscalation(at: now) }
        guard let due = policy.due(next.step, from: escalationStart) else { return nil }
        // The steps behind it keep their distance.
        if due > now { escalationStart = escalationStart - (due - now) }
        return clockReached(now, roster: roster)
    }

    // MARK: Steps

    private mutating func beginEscalation(at now: Timestamp) {
        stopCalls()
        state = .escalating
        next = Position(escalation: next.escalation + 1, step: 0)
        escalationStart = now
        isUnanswered = false
    }

    private mutating func stopCalls() {
        scheduled = []
        outstanding = []
    }

    private mutating func fire(_ policy: EscalationPolicy, _ roster: Roster, at now: Timestamp) -> [Action] {
        let position = next
        next.step += 1
        let step = policy.steps[position.step % policy.steps.count]
        let wanted = roster.calls(of: step, at: now)
        for call in wanted {
            calls += 1
            scheduled.append(
                Call(
                    number: calls, person: call.person, receiver: call.receiver, at: now + call.delay,
                    position: position))
        }
        let isInDigest = step.targets.contains { if case .digest = $0 { true } else { false } }
        return wanted.isEmpty && !isInDigest ? [.unreachable(position)] : []
    }
}

extension EscalationPolicy {
    /// When step `number`, counted over all rounds, fires; `nil` after the last one.
    func due(_ number: Int, from start: Timestamp) -> Timestamp? {
        let (round, step) = number.quotientAndRemainder(dividingBy: steps.count)
        guard round <= repeats else { return nil }
        return start + roundLength * Int64(round) + steps[step].delay
    }

    /// When the last round is over.
    func end(of start: Timestamp) -> Timestamp { start + roundLength * Int64(repeats + 1) }
}
