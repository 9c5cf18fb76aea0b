internal import ConfigurationFields
internal import Runtime
internal import YAML

/// Reads `time_intervals`, and `mute_time_intervals`, their former name.
struct TimeIntervalReader {
    let file: String

    /// The named intervals of `node`: `{name: offhours, time_intervals: [...]}`.
    func named(_ node: YAMLNode, path: String) throws(YAMLError) -> (name: String, intervals: [TimeInterval]) {
        var fields = try FieldReader(node, path: path, file: file)
        guard let name = try fields.optionalText("name"), !name.isEmpty else {
            throw fields.fault(
                path.hasPrefix("mute") ? "missing name in mute time interval" : "missing name in time interval")
        }
        var intervals: [TimeInterval] = []
        for (index, element) in try fields.list("time_intervals").enumerated() {
            intervals.append(try interval(element, path: "\(path).time_intervals[\(index)]"))
        }
        try fields.finish()
        return (name, intervals)
    }

    private func interval(_ node: YAMLNode, path: String) throws(YAMLError) -> TimeInterval {
        var fields = try FieldReader(node, path: path, file: file)
        var interval = TimeInterval()
        interval.minutes = try each(&fields, "times") { (node, path) throws(YAMLError) in
            try minutes(node, path: path)
        }
        interval.weekdays = try each(&fields, "weekdays") { (node, path) throws(YAMLError) in
            try range(node, path: path) { Self.weekdays.firstIndex(of: $0) }
        }
        interval.daysOfMonth = try each(&fields, "days_of_month") { (node, path) throws(YAMLError) in
            try days(node, path: path)
        }
        interval.months = try each(&fields, "months") { (node, path) throws(YAMLError) in
            try range(node, path: path) { Self.month($0) }
        }
        interval.years = try each(&fields, "years") { (node, path) throws(YAMLError) in
            try range(node, path: path) { Int($0) }
        }
        if let name = try fields.optionalText("location") {
            do throws(TimeZoneError) {
                interval.zone = try TimeZone.load(name)
            } catch {
                throw fields.fault(error.description, at: fields.optional("location"), field: "location")
            }
        }
        try fields.finish()
        return interval
    }

    private static let weekdays = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
    private static let months = [
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
        "december",
    ]

    /// The number of a month given by name or number.
    private static func month(_ text: String) -> Int? {
        if let index = months.firstIndex(of: text) { return index + 1 }
        return Int(text).flatMap { (1...12).contains($0) ? $0 : nil }
    }

    /// `{start_time: '09:00', end_time: '17:00'}` as minutes of the day.
    private func minutes(_ node: YAMLNode, path: String) throws(YAMLError) -> Range<Int> {
        var fields = try FieldReader(node, path: path, file: file)
        var minutes: [Int] = []
        for name in ["start_time", "end_time"] {
            let text = try fields.text(name)
            guard let minute = TimeOfDay.minutes(text) else {
                throw fields.fault(
                    "not a time of the day such as 09:30: \"\(text)\"", at: fields.optional(name), field: name)
            }
            minutes.append(minute)
        }
        guard minutes[0] < minutes[1] else { throw fields.fault("the start must be before the end") }
        try fields.finish()
        return minutes[0]..<minutes[1]
    }

    private func days(_ node: YAMLNode, path: String) throws(YAMLError) -> TimeInterval.Days {
        let (first, last) = try ends(node, path: path) { text in
            Int(text).flatMap { (-31...31).contains($0) && $0 != 0 ? $0 : nil }
        }
        guard first > 0 || last < 0 else {
            throw fault("if the first day counts from the end of the month, the last day must too", at: node, path)
        }
        // Which comes first may depend on the length of the month. The shortest month decides.
        let shortest = 28
        guard (first < 0 ? shortest + first : first) <= (last < 0 ? shortest + last : last) else {
            throw fault("the last day is always before the first", at: node, path)
        }
        return TimeInterval.Days(first: first, last: last)
    }

    private func range(
        _ node: YAMLNode, path: String, _ parse: (String) -> Int?
    ) throws(YAMLError) -> ClosedRange<Int> {
        let (first, last) = try ends(node, path: path, parse)
        guard first <= last else { throw fault("the end is before the start", at: node, path) }
        return first...last
    }

    /// `a:b`, or `a` for both.
    private func ends(
        _ node: YAMLNode, path: String, _ parse: (String) -> Int?
    ) throws(YAMLError) -> (first: Int, last: Int) {
        guard let text = node.text else { throw fault("expected text, got \(node.kind)", at: node, path) }
        let parts = text.lowercased().split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2 else { throw fault("expected one value, or two as in a:b", at: node, path) }
        var values: [Int] = []
        for part in parts {
            guard let value = parse(String(part)) else {
                throw fault("invalid value \"\(part)\"", at: node, path)
            }
            values.append(value)
        }
        return (values[0], values[values.count - 1])
    }

    private func fault(_ message: String, at node: YAMLNode, _ path: String) -> YAMLError {
        YAMLError(file: file, line: node.line, column: node.column, field: path, message: message)
    }

    /// Applies `read` to every element of the list `name`; `nil` if the list is missing.
    private func each<Value>(
        _ fields: inout FieldReader, _ name: String, _ read: (YAMLNode, String) throws(YAMLError) -> Value
    ) throws(YAMLError) -> [Value]? {
        guard fields.optional(name) != nil else { return nil }
        var values: [Value] = []
        for (index, element) in try fields.list(name).enumerated() {
            values.append(try read(element, "\(fields.path(of: name))[\(index)]"))
        }
        return values
    }
}
