/// The rows that must still be sent to other servers: those of each lane after the ones that were sent. A value.
struct UnsentRows: Equatable {
    /// By lane.
    var sent: [UInt32: Int]
    /// The limit of the size of segments that are kept only for them.
    var bytes: Int

    /// Whether some of the rows before `ends`, by lane, are unsent.
    func has(rowsBefore ends: [UInt32: Int]) -> Bool {
        ends.contains { lane, end in end > sent[lane] ?? 0 }
    }
}
