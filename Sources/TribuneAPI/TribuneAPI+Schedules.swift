internal import Identity
internal import JSON
internal import MetricModel
internal import OnCall
internal import OnCallRunner
internal import Runtime
internal import WebCore
internal import WebServer

/// Who is on call when, and the orders that change it.
extension TribuneAPI {
    private static let schedule = Parameter.path("schedule", .string, "The name of a schedule.")
    private static let override = Parameter.path("override", .string, "The id of a planned override.")
    private static let reason = Parameter.optional("reason", .string, "Why, for the ledger.")
    private static let actor = Parameter.optional(
        "actor", .string, "Who gives the order; the client's address unless given.")
    /// The longest list of shifts.
    private static let longestList = Milliseconds.hours(24 * 366)

    var scheduleEndpoints: [Endpoint] {
        [
            .data(
                [.get], "/api/v1/oncall/schedules", "Lists schedules with the person on call and the next change.",
                parameters: [.optional("time", .time, "The time asked about; now unless given.")], needsStore: false,
                refusesUnknownParameters: true, schedules),
            .data(
                [.get], "/api/v1/oncall/schedules/{schedule}", "Shows the shifts of a schedule, and what is planned.",
                parameters: [
                    Self.schedule, .optional("start", .time, "The beginning; now unless given."),
                    .optional("end", .time, "The end; 28 days after the beginning unless given, at most 366."),
                ], needsStore: false, refusesUnknownParameters: true, schedule),
            .data(
                [.post], "/api/v1/oncall/schedules/{schedule}/overrides",
                "Puts a person on call for some time, whatever the schedule says.", permission: .silence,
                parameters: [
                    Self.schedule, .required("person", .string, "Who is on call."),
                    .required("start", .time, "From when on."), .required("end", .time, "Until when."),
                    Self.reason, Self.actor,
                ], needsStore: false, refusesUnknownParameters: true, planOverride),
            .data(
                [.post], "/api/v1/oncall/schedules/{schedule}/take",
                "Gives the shift at a time to a person; of a shift that has begun, the rest.", permission: .silence,
                parameters: [
                    Self.schedule, .required("person", .string, "Who takes the shift."),
                    .optional("time", .time, "A time in the shift; now unless given."), Self.reason, Self.actor,
                ], needsStore: false, refusesUnknownParameters: true, takeShift),
            .data(
                [.post], "/api/v1/oncall/schedules/{schedule}/swap",
                "Lets the people of two shifts take each other's.", permission: .silence,
                parameters: [
                    Self.schedule, .required("first", .time, "A time in one shift."),
                    .required("second", .time, "A time in the other."), Self.reason, Self.actor,
                ], needsStore: false, refusesUnknownParameters: true, swapShifts),
            .data(
                [.post], "/api/v1/oncall/overrides/{override}", "Changes a planned override.", permission: .silence,
                parameters: [
                    Self.override, .optional("person", .string, "Who is on call."),
                    .optional("start", .time, "From when on."), .optional("end", .time, "Until when."), Self.reason,
                    Self.actor,
                ], needsStore: false, refusesUnknownParameters: true, changeOverride),
            .data(
                [.delete], "/api/v1/oncall/overrides/{override}", "Takes a planned override back.",
                permission: .silence, parameters: [Self.override, Self.reason, Self.actor], needsStore: false,
                refusesUnknownParameters: true, removeOverride),
        ]
    }

    private func schedules(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        let moment = try call.time("time", default: now)
        let schedules = sources.onCall.book().roster.schedules.values.sorted { $0.name < $1.name }
        writer.object { writer in
            writer.name("schedules")
            writer.array(schedules) { writer, schedule in
                let shifts = schedule.shifts(from: moment, until: moment + .hours(24 * 31))
                writer.object { writer in
                    writer.member("name", schedule.name)
                    writer.member("person", orNull: schedule.person(at: moment))
                    writer.member("until", orNull: shifts.count > 1 ? Self.text(shifts[1].from) : nil)
                    writer.member("next", orNull: shifts.count > 1 ? shifts[1].person : nil)
                }
            }
        }
        return APIResult()
    }

    private func schedule(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let book = sources.onCall.book()
        guard let schedule = book.roster.schedules[call.pathParameters[0]] else {
            throw APIError(.notFound, "no schedule \(MetricText.quoted(call.pathParameters[0]))")
        }
        let start = try call.time("start", default: Timestamp(milliseconds: SystemClock.wallMilliseconds()))
        let end = try call.time("end", default: start + .hours(24 * 28))
        guard start < end, end - start <= Self.longestList else {
            throw .invalid("end", "must be after the beginning, and at most 366 days")
        }
        writer.object { writer in
            writer.member("name", schedule.name)
            writer.member("time_zone", schedule.zone.name)
            writer.name("shifts")
            writer.array(schedule.shifts(from: start, until: end)) { writer, shift in
                writer.object {
                    $0.member("person", orNull: shift.person)
                    $0.member("from", shift.from)
                    $0.member("until", shift.until)
                }
            }
            writer.name("overrides")
            writer.array(book.plannedOverrides(of: schedule.name)) { Self.write($1, into: &$0) }
        }
        return APIResult()
    }

    private static func write(_ override: PlannedOverride, into writer: inout JSONWriter) {
        writer.object {
            $0.member("override", override.id)
            $0.member("person", override.person)
            $0.member("from", override.times.lowerBound)
            $0.member("until", override.times.upperBound)
            $0.member("reason", override.reason)
            $0.member("by", override.by)
            $0.member("at", override.at)
        }
    }

    // MARK: Orders

    private func planOverride(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let (start, end) = (try call.time("start"), try call.time("end"))
        guard start < end else { throw .invalid("end", "must be after the beginning") }
        return try plan(.plan(schedule: call.pathParameters[0], person: call["person"], start..<end), call, &writer)
    }

    private func takeShift(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let moment = try call.time("time", default: Timestamp(milliseconds: SystemClock.wallMilliseconds()))
        return try plan(.take(schedule: call.pathParameters[0], person: call["person"], at: moment), call, &writer)
    }

    private func swapShifts(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let (first, second) = (try call.time("first"), try call.time("second"))
        return try plan(.swap(schedule: call.pathParameters[0], first, second), call, &writer)
    }

    private func changeOverride(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let verb = ScheduleOrder.Verb.change(
            call.pathParameters[0], person: call["person"].isEmpty ? nil : call["person"],
            from: call["start"].isEmpty ? nil : try call.time("start"),
            until: call["end"].isEmpty ? nil : try call.time("end"))
        return try plan(verb, call, &writer)
    }

    private func removeOverride(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        try plan(.remove(call.pathParameters[0]), call, &writer)
    }

    private func plan(
        _ verb: ScheduleOrder.Verb, _ call: APIRequest, _ writer: inout JSONWriter
    ) throws(APIError) -> APIResult {
        let order = ScheduleOrder(verb, reason: call["reason"], by: Self.actor(of: call))
        let outcome: ScheduleOutcome
        do throws(OnCallRefusal) { outcome = try sources.onCall.plan(order) } catch {
            throw APIError(.unavailable, error.description)
        }
        switch outcome {
        case .done(let overrides):
            writer.object { writer in
                writer.name("overrides")
                writer.array(overrides) { Self.write($1, into: &$0) }
            }
            return APIResult()
        case .refused(let reason): throw APIError(.conflict, reason)
        case .unknown(let text): throw APIError(.notFound, "no \(text)")
        }
    }
}
