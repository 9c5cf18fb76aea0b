public import MetricModel
public import Runtime

/// People who are on call in turns. A value.
public struct Rotation: Equatable, Sendable {
    /// How long a turn lasts.
    public enum Length: Equatable, Sendable {
        /// Days of the calendar: the hand-over keeps its local time when clocks change.
        case days(Int64)
        /// Hours of elapsed time.
        case hours(Int64)
    }

    /// One turn of a rotation.
    public struct Turn: Equatable, Sendable {
        /// The number of the turn; the first one is 0.
        public var number: Int64
        /// Who is on call.
        public var person: String
        /// The first moment of the turn.
        public var from: Timestamp
        /// The first moment after the turn.
        public var until: Timestamp
    }

    /// Names of people in the order of their turns; at least one.
    public let people: [String]
    /// The length of each turn; at least 1.
    public let length: Length
    /// The local time at which the first turn begins, in seconds since 1970-01-01 local time.
    public let start: Int64

    /// A rotation whose first turn begins at the local time `start`.
    public init(people: [String], length: Length, start: Int64) {
        self.people = people
        self.length = length
        self.start = start
    }

    /// The turn at `moment`; `nil` before the first turn.
    public func turn(at moment: Timestamp, in zone: TimeZone) -> Turn? {
        guard !people.isEmpty, moment >= handover(0, in: zone) else { return nil }
        var number: Int64
        switch length {
        case .days(let days):
            let seconds = Self.seconds(moment)
            number = (seconds &+ zone.offset(at: seconds) &- start) / (days &* 86_400)
            // Around a change of clocks, the local time is up to a few hours off.
            while number > 0, moment < handover(number, in: zone) { number -= 1 }
            while moment >= handover(number + 1, in: zone) { number += 1 }
        case .hours(let hours):
            number = (moment - handover(0, in: zone)).rawValue / (hours &* 3_600_000)
        }
        return turn(number, in: zone)
    }

    /// The turn with this number.
    func turn(_ number: Int64, in zone: TimeZone) -> Turn {
        Turn(
            number: number, person: people[Int(number % Int64(people.count))], from: handover(number, in: zone),
            until: handover(number + 1, in: zone))
    }

    /// When turn `number` begins.
    private func handover(_ number: Int64, in zone: TimeZone) -> Timestamp {
        let seconds =
            switch length {
            case .days(let days): zone.seconds(ofLocal: start &+ number &* days &* 86_400)
            case .hours(let hours): zone.seconds(ofLocal: start) &+ number &* hours &* 3600
            }
        return Timestamp(milliseconds: seconds &* 1000)
    }

    /// Whole seconds since the epoch, rounded down.
    private static func seconds(_ moment: Timestamp) -> Int64 {
        let milliseconds = moment.milliseconds
        return milliseconds >= 0 ? milliseconds / 1000 : -((999 - milliseconds) / 1000)
    }
}
