public import MetricModel
public import Runtime

extension CalendarFile {
    /// Who is on call by the file, and the events that could not be told to belong to anybody.
    public struct Reading: Equatable, Sendable {
        /// The shifts, ascending, without overlaps.
        public var shifts: [Schedule.Shift]
        /// The lines at which events begin that name nobody, or more than one person; at most 20 of them.
        public var unknown: [Int]
        /// The number of such events.
        public var unknownCount: Int
    }

    private struct Occurrence {
        var person: String
        var from: Timestamp
        var until: Timestamp
    }

    /// The most occurrences in a window.
    static let occurrenceLimit = 20_000

    /// The shifts that overlap `window`.
    ///
    /// Where events overlap, the one that begins later counts; of two that begin at once the shorter one.
    ///
    /// - Parameters:
    ///   - zone: the zone of whole days and of times without one.
    ///   - person: the person whom a text of an event names; `nil` for nobody.
    public func shifts(
        in window: Range<Timestamp>, zone: TimeZone, people: CalendarPeople
    ) throws(CalendarError) -> Reading {
        var occurrences: [Occurrence] = []
        var unknown: [Int] = []
        let replaced = replacedMoments(zone)
        for event in events where !event.isCancelled {
            var spans: [(Timestamp, Timestamp)] = []
            try event.forEachSpan(in: window, zone, excluding: event.replaced == nil ? replaced[event.uid] ?? [] : []) {
                spans.append(($0, $1))
                return occurrences.count + spans.count <= Self.occurrenceLimit
            }
            guard occurrences.count + spans.count <= Self.occurrenceLimit else {
                throw CalendarError("more than \(Self.occurrenceLimit) shifts in a year", line: event.line)
            }
            if spans.isEmpty { continue }
            guard let person = people.person(summary: event.summary, attendees: event.attendees) else {
                unknown.append(event.line)
                continue
            }
            occurrences += spans.map { Occurrence(person: person, from: $0.0, until: $0.1) }
        }
        return Reading(
            shifts: Self.flattened(occurrences), unknown: Array(unknown.prefix(20)), unknownCount: unknown.count)
    }

    /// The occurrences that events of their own replace, by `UID`.
    private func replacedMoments(_ zone: TimeZone) -> [String: Set<Timestamp>] {
        var moments: [String: Set<Timestamp>] = [:]
        for event in events {
            if let moment = event.replaced?.moment(zone) { moments[event.uid, default: []].insert(moment) }
        }
        return moments
    }

    private static func flattened(_ occurrences: [Occurrence]) -> [Schedule.Shift] {
        let sorted = occurrences.sorted { ($0.from, $1.until, $0.person) < ($1.from, $0.until, $1.person) }
        let edges = Set(sorted.flatMap { [$0.from, $0.until] }).sorted()
        var shifts: [Schedule.Shift] = []
        var active: [Occurrence] = []
        var next = 0
        for (edge, end) in zip(edges, edges.dropFirst()) {
            active.removeAll { $0.until <= edge }
            while next < sorted.count, sorted[next].from <= edge {
                active.append(sorted[next])
                next += 1
            }
            // In the order of `sorted`, so the last one began last and is the shortest.
            guard let person = active.last?.person else { continue }
            if let last = shifts.last, last.person == person, last.until == edge {
                shifts[shifts.count - 1].until = end
            } else {
                shifts.append(Schedule.Shift(person: person, from: edge, until: end))
            }
        }
        return shifts
    }
}

extension CalendarFile.Event {
    /// Calls `body` with each occurrence that overlaps `window`, in no order, until it returns false.
    ///
    /// - Parameter replaced: beginnings of occurrences that other events replace.
    fileprivate func forEachSpan(
        in window: Range<Timestamp>, _ zone: TimeZone, excluding replaced: Set<Timestamp>,
        _ body: (Timestamp, Timestamp) -> Bool
    ) throws(CalendarError) {
        let excludedMoments = Set(excluded.filter { !$0.isDate || start.isDate }.map { $0.moment(zone) })
        let excludedDays = Set(excluded.filter(\.isDate).map(\.day))
        var seen: Set<Timestamp> = []
        func visit(_ begin: CalendarTime, _ ownEnd: CalendarFile.End?) -> Bool {
            let from = begin.moment(zone)
            guard !excludedMoments.contains(from), !excludedDays.contains(begin.day), !replaced.contains(from),
                seen.insert(from).inserted
            else { return true }
            let until = self.until(begin, ownEnd, zone)
            guard from < until, from < window.upperBound, until > window.lowerBound else { return true }
            return body(from, until)
        }
        for (begin, end) in added { guard visit(begin, end) else { return } }
        guard let rule else {
            _ = visit(start, nil)
            return
        }
        let reach = length(zone) / 86_400 + 2
        let last = zone.civilDay(at: window.upperBound) + 1
        let near = rule.count == nil ? max(start.day, zone.civilDay(at: window.lowerBound) - reach) : start.day
        let limit = rule.until?.moment(start.zone(zone))
        var count: Int64 = 0
        rule.forEachDay(from: start.day, near: near, last: last) { day in
            var begin = start
            begin.local = day * 86_400 + start.secondOfDay
            if let limit {
                let isOver = rule.until?.isDate == true ? day > rule.until?.day ?? day : begin.moment(zone) > limit
                if isOver { return false }
            }
            count += 1
            guard visit(begin, nil) else { return false }
            return rule.count.map { count < $0 } ?? true
        }
    }

    /// The length on local clocks, in seconds.
    private func length(_ zone: TimeZone) -> Int64 {
        switch end {
        case .after(let duration): duration.days * 86_400 + duration.seconds
        case .at(let time):
            time.zone(zone) == start.zone(zone)
                ? time.local - start.local : (time.moment(zone) - start.moment(zone)).rawValue / 1000
        }
    }

    private func until(_ begin: CalendarTime, _ ownEnd: CalendarFile.End?, _ zone: TimeZone) -> Timestamp {
        var last = begin
        switch ownEnd {
        case .at(let time)?: return time.moment(zone)
        case .after(let duration)?: return Self.moment(begin, plus: duration, zone)
        case nil: break
        }
        switch end {
        case .after(let duration): return Self.moment(begin, plus: duration, zone)
        case .at: last.local += length(zone)
        }
        return last.moment(zone)
    }

    /// Days of the calendar, then elapsed time.
    private static func moment(_ begin: CalendarTime, plus duration: CalendarDuration, _ zone: TimeZone) -> Timestamp {
        var day = begin
        day.local += duration.days * 86_400
        return day.moment(zone) + .seconds(1) * duration.seconds
    }
}
