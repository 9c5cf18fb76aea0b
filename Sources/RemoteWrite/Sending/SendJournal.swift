internal import Durable
internal import MetricStore
internal import Runtime

/// Rows that are sent together, divided into requests in a way that depends on nothing but this value, the settings and
/// the rows: a repetition after a crash consists of the same requests. A value.
struct SendPortion: Equatable {
    /// When it was planned, in milliseconds since 1970.
    var time: Int64
    /// The number of senders.
    var shards: Int
    /// The number of rows through which each lane is sent; lanes without new rows are left out.
    var ends: [UInt32: SendPositions.Lane] = [:]

    /// Forgets rows that do not exist.
    mutating func limit(to present: [CommittedRows.LanePosition]) { SendPositions.limit(&ends, to: present) }
}

/// The rows that were delivered to one receiver, and those that may have been. A value, kept in a small file.
///
/// The file is text: a line with the version, one with the fingerprint of the settings, one with the time up to which
/// exemplars were delivered, and one per lane: its number, the number of its delivered rows, and its name. Each portion
/// that was begun follows: a line with its time and the number of senders, and one per lane.
struct SendJournal: Equatable {
    private static let head = "tribune remote write positions 1"
    private static let portionHead = "portion "

    /// Changes with the settings that decide how rows are divided into requests.
    var fingerprint: String
    /// Everything before was delivered or refused.
    var delivered = SendPositions()
    /// In order.
    var portions: [SendPortion] = []

    init(fingerprint: String) {
        self.fingerprint = fingerprint
    }

    /// The content of the file at `path`; `nil` if there is none, or if it is no such file.
    init?(file path: String) {
        // Without a file, sending starts with the rows that follow.
        guard let bytes = try? FileText.bytes(path, limit: 256 << 20) else { return nil }
        self.init(text: String(decoding: bytes, as: UTF8.self))
    }

    init?(text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: true)
        guard lines.count >= 3, lines[0] == Self.head, let time = Int64(lines[2]) else { return nil }
        fingerprint = String(lines[1])
        delivered.exemplarsThrough = time
        for line in lines.dropFirst(3) {
            if line.hasPrefix(Self.portionHead) {
                let parts = line.split(separator: " ")
                guard parts.count == 3, let time = Int64(parts[1]), let shards = Int(parts[2]),
                    (1...10_000).contains(shards)
                else { return nil }
                portions.append(SendPortion(time: time, shards: shards))
                continue
            }
            guard let (lane, position) = SendPositions.lane(line) else { return nil }
            if portions.isEmpty {
                delivered.lanes[lane] = position
            } else {
                portions[portions.count - 1].ends[lane] = position
            }
        }
    }

    var text: String {
        var text = "\(Self.head)\n\(fingerprint)\n\(delivered.exemplarsThrough)\n"
        SendPositions.write(delivered.lanes, to: &text)
        for portion in portions {
            text += "\(Self.portionHead)\(portion.time) \(portion.shards)\n"
            SendPositions.write(portion.ends, to: &text)
        }
        return text
    }

    /// Writes the file at `path`.
    func write(to path: String) throws(DurableError) {
        try DurableFile.replace(path, by: text)
    }
}
