internal import ConfigurationFields
internal import MetricModel
internal import Runtime
internal import YAML

extension Schedule {
    init(_ fields: inout FieldReader, people: [String: Roster.Person]) throws(YAMLError) {
        let name = try fields.text("name")
        let zoneName = try fields.optionalText("time_zone") ?? "UTC"
        let zone: TimeZone
        do throws(TimeZoneError) {
            zone = try TimeZone.load(zoneName)
        } catch {
            throw fields.fault(error.description, at: fields.optional("time_zone"), field: "time_zone")
        }
        var layers: [Layer] = []
        for (index, element) in try fields.list("layers").enumerated() {
            var layer = try FieldReader(element, path: "\(fields.path).layers[\(index)]", file: fields.file)
            layers.append(try Layer(&layer, people))
        }
        let source = try fields.optional("calendar").map { (node) throws(YAMLError) in
            try CalendarSource(node, path: fields.path(of: "calendar"), file: fields.file)
        }
        if layers.isEmpty, source == nil {
            throw fields.fault("at least one layer or a calendar is required", field: "layers")
        }
        var overrides: [Override] = []
        for (index, element) in try fields.list("overrides").enumerated() {
            var override = try FieldReader(element, path: "\(fields.path).overrides[\(index)]", file: fields.file)
            overrides.append(try Override(&override, people))
        }
        try fields.finish()
        self.init(name: name, zone: zone, layers: layers, overrides: overrides, source: source)
    }
}

extension Schedule.Layer {
    fileprivate init(_ fields: inout FieldReader, _ people: [String: Roster.Person]) throws(YAMLError) {
        let names = try Roster.names(&fields, "people", in: people)
        let turn = try fields.optionalDuration("turn") ?? .hours(24 * 7)
        let hours = turn.rawValue / 3_600_000
        guard turn.rawValue % 3_600_000 == 0, (1...24 * 366).contains(hours) else {
            throw fields.fault(
                "expected whole hours, at least 1h and at most 366d", at: fields.optional("turn"), field: "turn")
        }
        let start = try fields.text("from")
        guard let local = LocalTime.seconds(start) else {
            throw fields.fault(
                "expected a local date and time such as \"2026-01-05 09:00\", got \"\(start)\"",
                at: fields.optional("from"), field: "from")
        }
        var windows: [WeeklyWindow] = []
        for (index, element) in try fields.list("only").enumerated() {
            var window = try FieldReader(element, path: "\(fields.path).only[\(index)]", file: fields.file)
            windows += try WeeklyWindow.read(&window)
        }
        try fields.finish()
        self.init(
            rotation: Rotation(
                people: names, length: hours % 24 == 0 ? .days(hours / 24) : .hours(hours), start: local),
            windows: windows)
    }
}

extension Schedule.Override {
    fileprivate init(_ fields: inout FieldReader, _ people: [String: Roster.Person]) throws(YAMLError) {
        let person = try fields.text("person")
        guard people[person] != nil else {
            throw fields.fault(
                "there is no person \"\(person)\" under people", at: fields.optional("person"), field: "person")
        }
        var ends: [Timestamp] = []
        for name in ["from", "until"] {
            let text = try fields.text(name)
            guard let milliseconds = RFC3339.milliseconds(parsing: text) else {
                throw fields.fault(
                    "expected a time such as 2026-12-24T08:00:00+01:00, got \"\(text)\"", at: fields.optional(name),
                    field: name)
            }
            ends.append(Timestamp(milliseconds: milliseconds))
        }
        guard ends[0] < ends[1] else {
            throw fields.fault("the end must be after the beginning", at: fields.optional("until"), field: "until")
        }
        try fields.finish()
        self.init(person: person, times: ends[0]..<ends[1])
    }
}

extension WeeklyWindow {
    static let weekdays = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]

    /// `{days: [monday, friday], from: "18:00", until: "08:00"}`: one window a day, into the next day if it ends before
    /// it begins.
    fileprivate static func read(_ fields: inout FieldReader) throws(YAMLError) -> [WeeklyWindow] {
        var days: [Int] = []
        for (index, name) in try fields.textList("days").enumerated() {
            guard let day = weekdays.firstIndex(of: name.lowercased()) else {
                throw fields.fault(
                    "expected a day such as monday, got \"\(name)\"", at: fields.optional("days")?.elements?[index],
                    field: "days[\(index)]")
            }
            days.append(day)
        }
        var minutes: [Int] = []
        for (name, standard) in [("from", "00:00"), ("until", "24:00")] {
            let text = try fields.optionalText(name) ?? standard
            guard let minute = TimeOfDay.minutes(text) else {
                throw fields.fault(
                    "expected a time of day such as 09:30, got \"\(text)\"", at: fields.optional(name), field: name)
            }
            minutes.append(minute)
        }
        try fields.finish()
        guard minutes[0] < 1440, minutes[0] != minutes[1] else {
            throw fields.fault("the window is empty", field: "until")
        }
        let length = minutes[1] > minutes[0] ? minutes[1] - minutes[0] : minutes[1] + 1440 - minutes[0]
        return (days.isEmpty ? Array(0...6) : days).map {
            WeeklyWindow(weekday: $0, start: minutes[0], minutes: length)
        }
    }
}

/// Local dates with a time of day, as configuration files have them.
enum LocalTime {
    /// `2026-01-05 09:00` as seconds since 1970-01-01 local time.
    static func seconds(_ text: String) -> Int64? {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 2, let minute = TimeOfDay.minutes(parts[1]), minute < 1440,
            let midnight = RFC3339.milliseconds(parsing: "\(parts[0])T00:00:00Z"), midnight >= 0
        else { return nil }
        return midnight / 1000 + Int64(minute) * 60
    }
}
