internal import ConfigurationFields
internal import Runtime
internal import YAML

extension Digest {
    /// `{name: daily, receiver: mail, at: "09:00", time_zone: Europe/Berlin}`: every day, on one `day` of the week, or
    /// each hour without `at`.
    init(_ fields: inout FieldReader) throws(YAMLError) {
        let name = try fields.text("name")
        let receiver = try fields.text("receiver")
        var zone = TimeZone.utc
        if let text = try fields.optionalText("time_zone") {
            do throws(TimeZoneError) { zone = try TimeZone.load(text) } catch {
                throw fields.fault(
                    "time zone \"\(text)\": \(error.reason)", at: fields.optional("time_zone"), field: "time_zone")
            }
        }
        let day = try fields.optionalText("day")
        var period = Period.hourly
        if let text = try fields.optionalText("at") {
            guard let minute = TimeOfDay.minutes(text), minute < 1440 else {
                throw fields.fault(
                    "expected a time of day such as 09:30, got \"\(text)\"", at: fields.optional("at"), field: "at")
            }
            period = .daily(minute: minute)
            if let day {
                guard let weekday = WeeklyWindow.weekdays.firstIndex(of: day.lowercased()) else {
                    throw fields.fault(
                        "expected a day such as monday, got \"\(day)\"", at: fields.optional("day"), field: "day")
                }
                period = .weekly(weekday: weekday, minute: minute)
            }
        } else if day != nil {
            throw fields.fault("a digest on one day of the week needs a time of day", field: "at")
        }
        try fields.finish()
        self.init(name: name, receiver: receiver, zone: zone, period: period)
    }
}
