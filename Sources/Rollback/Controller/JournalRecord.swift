internal import JSON
internal import MetricModel

/// One step of a rollout in the journal: the whole durable state after it.
///
/// The whole state takes a few kilobytes per step and makes recovery simple: read the last record.
public struct JournalRecord: Hashable, Sendable {
    /// The newest format of records. A version of Tribune ignores fields that it does not know, and takes a record of a
    /// higher number for one that it cannot read: it must not act on a part of it.
    ///
    /// Format 2 has the split of testers. A rollout that was recorded in format 1 goes on in it, so that a node of the
    /// version before can continue it, until ``RolloutCommand/Verb/finishUpgrade``.
    static let newestFormat: Int64 = 2

    /// The fencing number at the time of writing.
    public var epoch: UInt64
    /// Counts the records of a plan in one process, from 1; 0 in records of earlier versions.
    public var number: UInt64
    /// When it was made.
    public var at: Instant
    /// The step: `intent`, `shifted`, `verified` …
    public var step: String
    /// The state after it.
    public var state: RolloutState

    /// The record's payload: JSON in UTF-8.
    public var payload: [UInt8] {
        let json: JSON = [
            "format": .integer(state.format), "epoch": .integer(Int64(clamping: epoch)),
            "number": .integer(Int64(clamping: number)),
            "at": .integer(at.nanoseconds),
            "step": .string(step), "state": state.json,
        ]
        return Array(json.encoded.utf8)
    }

    /// A record.
    public init(epoch: UInt64, number: UInt64 = 0, at: Instant, step: String, state: RolloutState) {
        self.epoch = epoch
        self.number = number
        self.at = at
        self.step = step
        self.state = state
    }

    /// Reads a payload; `nil` if it is not a record of this version.
    public init?(payload: [UInt8]) {
        // The error is not needed: the checksum was valid, so another version wrote the payload.
        guard let json = try? JSON(parsing: payload), let epoch = json["epoch"]?.integer.flatMap(UInt64.init(exactly:)),
            let at = json["at"]?.integer, let step = json["step"]?.text,
            var state = json["state"].flatMap(RolloutState.init)
        else { return nil }
        // Records of earlier versions have none.
        state.format = json["format"]?.integer ?? 1
        guard (1...Self.newestFormat).contains(state.format) else { return nil }
        let number = json["number"]?.integer.flatMap(UInt64.init(exactly:)) ?? 0
        self.init(epoch: epoch, number: number, at: Instant(nanoseconds: at), step: step, state: state)
    }
}
