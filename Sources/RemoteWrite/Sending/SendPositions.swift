internal import MetricStore

/// How far the rows of each lane were sent. A value.
struct SendPositions: Equatable {
    struct Lane: Equatable {
        var name: String
        var rows: Int
    }

    var lanes: [UInt32: Lane] = [:]
    /// Exemplars up to this time, in milliseconds since 1970.
    var exemplarsThrough: Int64 = 0

    init() {}

    /// Everything that exists now.
    init(_ present: [CommittedRows.LanePosition], at time: Int64) {
        for lane in present { lanes[lane.lane.rawValue] = Lane(name: lane.name, rows: lane.rows) }
        exemplarsThrough = time
    }

    /// The first row of a lane that was not sent. A lane with another name is another lane; one with fewer rows lost
    /// some in a power failure.
    func next(_ lane: CommittedRows.LanePosition) -> Int {
        guard let known = lanes[lane.lane.rawValue], known.name == lane.name else { return 0 }
        return min(known.rows, lane.rows)
    }

    /// Moves on to the end of `portion`.
    mutating func advance(through portion: SendPortion) {
        lanes.merge(portion.ends) { $1 }
    }

    /// Forgets rows that do not exist.
    mutating func limit(to present: [CommittedRows.LanePosition]) { Self.limit(&lanes, to: present) }

    /// The same for other numbers of rows.
    static func limit(_ lanes: inout [UInt32: Lane], to present: [CommittedRows.LanePosition]) {
        for lane in present {
            guard let known = lanes[lane.lane.rawValue], known.name == lane.name else { continue }
            lanes[lane.lane.rawValue]?.rows = min(known.rows, lane.rows)
        }
    }

    // MARK: Text

    /// A line per lane: its number, the number of its rows, and its name.
    static func write(_ lanes: [UInt32: Lane], to text: inout String) {
        for (lane, position) in lanes.sorted(by: { $0.key < $1.key }) {
            text += "\(lane) \(position.rows) \(encoded(position.name))\n"
        }
    }

    /// The lane in a line; `nil` if it is no such line.
    static func lane(_ line: Substring) -> (number: UInt32, position: Lane)? {
        let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let lane = UInt32(parts[0]), let rows = Int(parts[1]), rows >= 0 else { return nil }
        return (lane, Lane(name: decoded(parts[2]), rows: rows))
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
}
