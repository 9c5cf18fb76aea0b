/// The state with which a node continues after winning the lease.
package enum TakeUp: Hashable, Sendable {
    /// Its own journal: no other node has acted since.
    case own
    /// A record that may not be the last one.
    case record(JournalRecord, isComplete: Bool)

    /// Chooses by epoch. Two records of one term are of this node, and the one with the higher number is newer: its
    /// disk or the database may have failed. If a node
    /// led later than all known records and did not release the lease, its records are lost, and this node's own state
    /// is treated like an old record of that leader. A leader of a rollout always has a record of its term, because its
    /// term begins with one.
    ///
    /// - Parameters:
    ///   - own: the last record of this node's journal.
    ///   - left: the last record that reached the database.
    ///   - leader: the epoch of the previous leader, which may be this node; `nil` if the lease was released.
    package init(own: JournalRecord?, left: JournalRecord?, leader: UInt64?) {
        if let left, (left.epoch, left.number) > (own?.epoch ?? 0, own?.number ?? 0) {
            self = .record(left, isComplete: leader == nil)
        } else if let own, let leader, leader > own.epoch, own.state.phase != .idle {
            self = .record(own, isComplete: false)
        } else {
            self = .own
        }
    }
}
