import Rollback

/// What the checks remember of the records that the process made. A crash takes back what was not stored.
struct Memory: Sendable {
    /// The state of the last record.
    var state = RolloutState()
    /// The epoch of that record, and its number.
    var epoch: UInt64 = 0
    var number: UInt64 = 0
    /// Rollbacks of each service and generation.
    var rollbacks: [String: Int] = [:]
    var abortedGenerations: Set<UInt64> = []
    /// The candidate of the last rollout, or the one that was present when it was aborted.
    var begunFor: Double?
    /// Candidates of whose traffic a node that took over has read nothing yet.
    var unread: Set<RouteID> = []
    /// When the rollback of each service was decided.
    var backSince: [String: Instant] = [:]
    /// Ended rollbacks, according to the journal.
    var ended: Set<String> = []
    /// The generation in which each service went past the weight from which it can go back.
    var irreversible: [String: UInt64] = [:]
    /// Until when handled trips stop promotion, on the process's clock.
    var cooldownUntil = Instant(nanoseconds: 0)
}
