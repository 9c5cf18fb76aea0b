public import MetricModel

/// One node's view of the lease that decides which of several Tribunes acts. A machine: it says what to ask the
/// database, and is told the answers.
///
/// No clock is compared with another one. The holder counts the lease's time from before it asked, on a clock of its
/// own that neither jumps nor stops; others must have seen the lease unrenewed for that long on theirs, *and* the
/// database must say that it is over. So a jump of anybody's wall clock, the database's included, makes nobody act
/// while somebody else does.
///
/// While the database answers nobody, nobody can take the lease either, and a holder whose time is over goes on taking
/// traffic off candidates (``Standing/alone(epoch:)``). A holder that was stopped and wakes has no fresh failure to
/// rest on, so that it does nothing until the database has answered or failed it anew.
public struct Lease: Equatable, Sendable {
    /// What this node may do.
    public enum Standing: Equatable, Sendable {
        /// Nothing: another node holds the lease, or nobody knows.
        case none
        /// Go on with rollbacks. The lease could not be renewed since the database does not answer.
        case alone(epoch: UInt64)
        /// Everything.
        case leading(epoch: UInt64)
    }

    /// The lease as it stood in the database.
    public struct Sighting: Equatable, Sendable {
        /// Who holds it; empty when it was given back.
        public var holder: String
        /// Counts changes of the holder.
        public var epoch: UInt64
        /// Counts renewals by this holder.
        public var renewals: UInt64
        /// Whether its time is over, by the database's clock.
        public var isOver: Bool

        /// A lease.
        public init(holder: String, epoch: UInt64, renewals: UInt64, isOver: Bool) {
            self.holder = holder
            self.epoch = epoch
            self.renewals = renewals
            self.isOver = isOver
        }
    }

    /// What to ask the database.
    public enum Question: Equatable, Sendable {
        /// Who holds it?
        case look
        /// Take it, unless it has changed since.
        case take(Sighting)
        /// Prolong it.
        case renew(epoch: UInt64)
    }

    /// What the database said.
    public enum Answer: Equatable, Sendable {
        case seen(Sighting)
        /// It is ours under this epoch; also the answer to a renewal.
        case ours(epoch: UInt64)
        /// Somebody was faster, or has taken it since.
        case refused
        /// There was no answer.
        case unreachable
    }

    private enum State: Equatable, Sendable {
        /// To: `held`.
        case watching
        /// Ours until `until`, and with nobody reachable until `aloneUntil`. To: `watching`.
        case held(epoch: UInt64, until: Int64, aloneUntil: Int64)
    }

    /// How this node is called in the database.
    public let holder: String
    /// How long the lease lasts without renewal.
    public let duration: Milliseconds
    /// What was last seen of the lease while somebody else held it.
    public private(set) var seen: Sighting?
    /// When ``seen`` was first seen so.
    public private(set) var seenSince: Int64 = 0
    private var state = State.watching

    /// A lease that has not been looked at. Times are nanoseconds of one clock that never jumps.
    public init(holder: String, duration: Milliseconds) {
        self.holder = holder
        self.duration = duration
    }

    private var span: Int64 { duration.rawValue * 1_000_000 }

    /// Nanoseconds between questions.
    public var interval: Int64 { span / 4 }

    /// What this node may do at `now`.
    public func standing(at now: Int64) -> Standing {
        guard case .held(let epoch, let until, let aloneUntil) = state else { return .none }
        if now < until { return .leading(epoch: epoch) }
        return now < aloneUntil ? .alone(epoch: epoch) : .none
    }

    /// What to ask next.
    public func question(at now: Int64) -> Question {
        if case .held(let epoch, _, _) = state { return .renew(epoch: epoch) }
        guard let seen, mayTake(seen, at: now) else { return .look }
        return .take(seen)
    }

    /// Whether the next question is due at once.
    public func isUrgent(at now: Int64) -> Bool {
        if case .take = question(at: now) { true } else { false }
    }

    /// Whether nobody else can believe in a lease that was seen like this.
    private func mayTake(_ seen: Sighting, at now: Int64) -> Bool {
        // A predecessor of this node is gone: only one process at a time has the node's journals.
        if seen.holder.isEmpty || seen.holder == holder { return true }
        return seen.isOver && now - seenSince >= span
    }

    /// The database answered what was asked at `asked`, or did not.
    public mutating func answered(_ answer: Answer, asked: Int64, at now: Int64) {
        switch (state, answer) {
        case (_, .ours(let epoch)):
            state = .held(epoch: epoch, until: asked + span, aloneUntil: asked + span)
            seen = nil
        case (.held(let epoch, let until, _), .unreachable):
            state = .held(epoch: epoch, until: until, aloneUntil: asked + span)
        case (.held, .refused), (.held, .seen):
            state = .watching
            seen = nil
        case (.watching, .seen(let sighting)):
            let isSame = seen?.epoch == sighting.epoch && seen?.renewals == sighting.renewals
            if !isSame || seen?.holder != sighting.holder { seenSince = now }
            seen = sighting
        case (.watching, .refused): seen = nil
        case (.watching, .unreachable): break
        }
    }
}
