internal import Durable
internal import MetricStore
internal import Runtime

/// How far the rows of each lane were delivered to one receiver. A value, kept in a small file.
///
/// The file is text: a line with the version, one with the time up to which exemplars were delivered, and one per lane:
/// its number, the number of its delivered rows, and its name.
struct SendPositions: Equatable {
    private static let head = "tribune remote write positions 1"

    struct Lane: Equatable {
        var name: String
        var rows: Int
    }

    var lanes: [UInt32: Lane] = [:]
    /// Exemplars up to this time were delivered, in milliseconds since 1970.
    var exemplarsThrough: Int64 = 0

    init() {}

    /// The positions in the file at `path`; `nil` if there is none, or if it is not a file of positions.
    init?(file path: String) {
        guard let bytes = try? FileText.bytes(path, limit: 64 << 20) else { return nil }
        self.init(text: String(decoding: bytes, as: UTF8.self))
    }

    init?(text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: true)
        guard lines.count >= 2, lines[0] == Self.head, let time = Int64(lines[1]) else { return nil }
        exemplarsThrough = time
        for line in lines.dropFirst(2) {
            let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, let lane = UInt32(parts[0]), let rows = Int(parts[1]), rows >= 0 else {
                return nil
            }
            lanes[lane] = Lane(name: Self.decoded(parts[2]), rows: rows)
        }
    }

    var text: String {
        var text = "\(Self.head)\n\(exemplarsThrough)\n"
        for (lane, position) in lanes.sorted(by: { $0.key < $1.key }) {
            text += "\(lane) \(position.rows) \(Self.encoded(position.name))\n"
        }
        return text
    }

    /// Names may have line breaks.
    private static func encoded(_ name: String) -> String {
        name.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }

    private static func decoded(_ name: Substring) -> String {
        var text = ""
        var isEscaped = false
        for character in name {
            if isEscaped {
                text.append(character == "n" ? "\n" : character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                text.append(character)
            }
        }
        return text
    }

    /// Writes the file at `path`.
    func write(to path: String) throws(DurableError) {
        try DurableFile.replace(path, by: text)
    }

    /// The first row of a lane that was not delivered. A lane with another name is another lane; one with fewer rows
    /// lost some in a power failure.
    func next(_ lane: CommittedRows.LanePosition) -> Int {
        guard let known = lanes[lane.lane.rawValue], known.name == lane.name else { return 0 }
        return min(known.rows, lane.rows)
    }
}
