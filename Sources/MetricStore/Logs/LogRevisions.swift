/// The revisions of the series log that its file contains.
///
/// Every frame of the log, and every rewrite of it, creates a revision. Sealed chunks and row records name the revision
/// that was current when they were written: a slot may be reassigned to another series later, so without it their
/// series would be unknown. Data that name a revision that the log no longer has, because its end was lost, are
/// ignored.
struct LogRevisions: Equatable, Sendable {
    /// The newest revision. Stops at the largest number; losses after that are not detected.
    var current: UInt32 = 0
    /// Revisions that an earlier recovery found lost, ascending. Data that name them stay unused.
    var lost: [ClosedRange<UInt32>] = []

    /// All revisions except `lost`.
    static func all(but lost: [ClosedRange<UInt32>]) -> LogRevisions {
        LogRevisions(current: .max, lost: lost)
    }

    /// Whether `revision` is known. Revision 0 is for data from before revisions existed.
    func contains(_ revision: UInt32) -> Bool {
        revision <= current && (lost.isEmpty || !lost.contains { $0.contains(revision) })
    }

    /// Starts the next revision.
    mutating func advance() {
        if current < .max { current += 1 }
    }

    /// Records that files name revisions up to `newest`; those after the current one are lost.
    mutating func lose(through newest: UInt32) {
        guard newest > current else { return }
        lost.append(current + 1...newest)
        current = newest
        advance()
    }
}
