/// The revisions of the series log that its file contains.
///
/// Every frame of the log and every rewriting of it makes a new revision. A sealed chunk and a record of rows name the
/// one that stood when they were written: without it, nobody can tell whose samples they hold, since a slot may have
/// been given to another series meanwhile. Data that names a later revision than the log has, because the log's end was
/// lost, is ignored.
struct LogRevisions: Equatable, Sendable {
    /// The newest one. Counts no further than the largest number, from which on losses are not noticed.
    var current: UInt32 = 0
    /// Revisions that an earlier recovery found lost, ascending; what names them stays unused.
    var lost: [ClosedRange<UInt32>] = []

    /// Every revision but those that are `lost`.
    static func all(but lost: [ClosedRange<UInt32>]) -> LogRevisions {
        LogRevisions(current: .max, lost: lost)
    }

    /// Whether `revision` is known. Those of 0 were written before there were revisions.
    func contains(_ revision: UInt32) -> Bool {
        revision <= current && (lost.isEmpty || !lost.contains { $0.contains(revision) })
    }

    /// Begins the next revision.
    mutating func advance() {
        if current < .max { current += 1 }
    }

    /// Notes that files name revisions up to `newest`, of which those behind the current one are lost.
    mutating func lose(through newest: UInt32) {
        guard newest > current else { return }
        lost.append(current + 1...newest)
        current = newest
        advance()
    }
}
