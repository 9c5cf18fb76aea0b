public import MetricModel

/// One node's view of the lease that decides which of several Tribune processes acts. A machine: it returns what to ask
/// the database, and takes the replies.
///
/// Clocks are not compared with each other. The holder measures the lease's duration from before its request, on a
/// clock of its own that neither jumps nor stops. Other nodes must have seen the lease without renewal for that long on
/// their clock, *and* the database must report that it has expired. A jump of any wall clock, including the database's,
/// never makes two nodes act at once.
///
/// While the database does not respond, no node can take the lease, and a holder whose lease expired still moves
/// traffic away from candidates (``Standing/alone(epoch:)``). A holder that was suspended and resumes has no recent
/// failed request, so it does nothing until the database has responded or failed again.
public struct Lease: Equatable, Sendable {
    /// The permissions of this node.
    public enum Standing: Equatable, Sendable {
        /// Nothing: another node holds the lease, or the holder is unknown.
        case none
        /// Rollbacks only. The lease could not be renewed, because the database does not respond.
        case alone(epoch: UInt64)
        /// Everything.
        case leading(epoch: UInt64)
    }

    /// The state of the lease in the database.
    public struct Sighting: Equatable, Sendable {
        /// The holder; empty if the lease was released.
        public var holder: String
        /// The number of changes of the holder.
        public var epoch: UInt64
        /// The number of renewals by this holder.
        public var renewals: UInt64
        /// Whether it has expired, by the database's clock.
        public var isOver: Bool

        /// A state of the lease.
        public init(holder: String, epoch: UInt64, renewals: UInt64, isOver: Bool) {
            self.holder = holder
            self.epoch = epoch
            self.renewals = renewals
            self.isOver = isOver
        }
    }

    /// A request to the database.
    public enum Request: Equatable, Sendable {
        /// Read the lease.
        case look
        /// Take the lease, unless it has changed since.
        case take(Sighting)
        /// Renew the lease.
        case renew(epoch: UInt64)
    }

    /// The database's reply.
    public enum Reply: Equatable, Sendable {
        case seen(Sighting)
        /// This node holds the lease under this epoch; also the reply to a renewal.
        case ours(epoch: UInt64)
        /// Another node took it first, or has taken it since.
        case refused
        /// There was no reply.
        case unreachable
    }

    private enum State: Equatable, Sendable {
        /// Next: `held`.
        case watching
        /// Held until `until`, or until `aloneUntil` if the database does not respond. Next: `watching`.
        case held(epoch: UInt64, until: Int64, aloneUntil: Int64)
    }

    /// The name of this node in the database.
    public let holder: String
    /// The duration of the lease without renewal.
    public let duration: Milliseconds
    /// The last state of the lease seen while another node held it.
    public private(set) var seen: Sighting?
    /// When ``seen`` was first seen in this state.
    public private(set) var seenSince: Int64 = 0
    /// Whether this node leaves the lease to others, and takes it only when nobody else has for two spans: its disk is
    /// broken, so that it could only roll back.
    public var isReluctant = false
    private var state = State.watching

    /// A lease that has not been read. Times are nanoseconds of a monotonic clock.
    public init(holder: String, duration: Milliseconds) {
        self.holder = holder
        self.duration = duration
    }

    private var span: Int64 { duration.rawValue * 1_000_000 }

    /// Nanoseconds between requests.
    public var interval: Int64 { span / 4 }

    /// The permissions of this node at `now`.
    public func standing(at now: Int64) -> Standing {
        guard case .held(let epoch, let until, let aloneUntil) = state else { return .none }
        if now < until { return .leading(epoch: epoch) }
        return now < aloneUntil ? .alone(epoch: epoch) : .none
    }

    /// The next request.
    public func request(at now: Int64) -> Request {
        if case .held(let epoch, _, _) = state { return .renew(epoch: epoch) }
        guard let seen, mayTake(seen, at: now) else { return .look }
        return .take(seen)
    }

    /// Whether the next request is due immediately.
    public func isUrgent(at now: Int64) -> Bool {
        if case .take = request(at: now) { true } else { false }
    }

    /// Whether no other node can still hold a lease in this state.
    private func mayTake(_ seen: Sighting, at now: Int64) -> Bool {
        if isReluctant, now - seenSince < 2 * span { return false }
        // A predecessor of this node has ended: only one process at a time has the node's journals.
        if seen.holder.isEmpty || seen.holder == holder { return true }
        return seen.isOver && now - seenSince >= span
    }

    /// The database replied to the request sent at `asked`, or failed.
    public mutating func received(_ reply: Reply, requestedAt asked: Int64, at now: Int64) {
        switch (state, reply) {
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
