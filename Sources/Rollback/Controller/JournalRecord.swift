internal import JSON
internal import MetricModel

/// One step of a rollout as it stands in the journal: the whole durable state after it.
///
/// Carrying the whole state costs a few kilobytes per step and makes recovery one thing only: read the last record.
public struct JournalRecord: Equatable, Sendable {
    /// The fencing number under which it was written.
    public var epoch: UInt64
    /// When it was written.
    public var at: Instant
    /// What happened: `intent`, `shifted`, `verified` …
    public var step: String
    /// The state after it.
    public var state: RolloutState

    /// The record's payload: JSON in UTF-8.
    public var payload: [UInt8] {
        let json: JSON = [
            "epoch": .integer(Int64(clamping: epoch)), "at": .integer(at.nanoseconds), "step": .string(step),
            "state": state.json,
        ]
        return Array(json.encoded.utf8)
    }

    /// A record.
    public init(epoch: UInt64, at: Instant, step: String, state: RolloutState) {
        self.epoch = epoch
        self.at = at
        self.step = step
        self.state = state
    }

    /// Reads a payload; `nil` where it is none of ours.
    public init?(payload: [UInt8]) {
        // What is wrong with a payload does not matter: its checksum was right, so another version wrote it.
        guard let json = try? JSON(parsing: payload), let epoch = json["epoch"]?.integer.flatMap(UInt64.init(exactly:)),
            let at = json["at"]?.integer, let step = json["step"]?.text,
            let state = json["state"].flatMap(RolloutState.init)
        else { return nil }
        self.init(epoch: epoch, at: Instant(nanoseconds: at), step: step, state: state)
    }
}
