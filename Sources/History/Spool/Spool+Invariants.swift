extension Spool.State {
    /// The first broken invariant of the positions; `nil` while all hold.
    ///
    /// - Parameter pending: records that wait in memory.
    func problem(pending: Int) -> String? {
        if durable > accepted { return "record \(durable) is durable, but only \(accepted) records were accepted" }
        if accepted - durable != UInt64(pending) {
            return "\(pending) records wait, but \(accepted - durable) accepted ones are not durable"
        }
        if pendingBytes < 0 || (pending == 0) != (pendingBytes == 0) {
            return "\(pending) records wait with \(pendingBytes) bytes"
        }
        if zip(segments, segments.dropFirst()).contains(where: { $0 >= $1 }) {
            return "segments are not ascending: \(segments)"
        }
        if let last = segments.last, last > durable + 1 {
            return "the segment of record \(last) exists before record \(durable + 1)"
        }
        return nil
    }
}

extension Spool {
    /// The first broken invariant of the positions, also compared with the files; `nil` while all hold.
    func checkInvariants() throws(HistoryError) -> String? {
        if let problem = invariantProblem { return problem }
        let files = try directory.segments()
        let state = state
        // A segment may be created or removed between the two reads.
        if let missing = state.segments.first(where: { !files.contains($0) }) {
            return "the segment of record \(missing) is missing"
        }
        return nil
    }
}
