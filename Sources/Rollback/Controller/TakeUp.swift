/// What a node that has just won the lease goes on with.
package enum TakeUp: Equatable, Sendable {
    /// Its own journal: nobody has done anything after it.
    case own
    /// A record that may not be the last thing that was done.
    case record(JournalRecord, isComplete: Bool)

    /// Chooses by epochs. Of two records of one term this node's own is the newer one, because it is written first.
    /// Where somebody led after everything that is known, and did not give the lease back, records are lost, and this
    /// node's own state is as doubtful as an old record of that leader would be. A leader of a rollout always has a
    /// record of its term, because it begins with one.
    ///
    /// - Parameters:
    ///   - own: the last record of this node's journal.
    ///   - left: the last record that reached the database.
    ///   - leader: the epoch of whoever led before, this node included; `nil` where the lease was given back.
    package init(own: JournalRecord?, left: JournalRecord?, leader: UInt64?) {
        if let left, left.epoch > own?.epoch ?? 0 {
            self = .record(left, isComplete: leader == nil)
        } else if let own, let leader, leader > own.epoch, own.state.phase != .idle {
            self = .record(own, isComplete: false)
        } else {
            self = .own
        }
    }
}
