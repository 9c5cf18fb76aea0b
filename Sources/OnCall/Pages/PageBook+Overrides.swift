public import MetricModel

extension PageBook {
    /// The most planned overrides.
    static let overrideCapacity = 1000
    /// How long an override is remembered after its end.
    private static let overrideAge = Milliseconds.hours(24 * 31)

    /// The overrides of a schedule that were planned while the service runs, by their beginnings.
    public func plannedOverrides(of schedule: String) -> [PlannedOverride] {
        planned.values.filter { $0.schedule == schedule }
            .sorted { ($0.times.lowerBound, $0.id) < ($1.times.lowerBound, $1.id) }
    }

    /// A person gives an order about a schedule.
    ///
    /// - Parameter id: gives random texts, of which one that is not used yet becomes the id of an override.
    public mutating func ordered(
        _ order: ScheduleOrder, at now: Timestamp, id: () -> String
    ) -> (outcome: ScheduleOutcome, actions: [Action]) {
        guard order.reason.utf8.count <= ScheduleOrder.reasonLimit else {
            return (.refused("a reason has at most \(ScheduleOrder.reasonLimit) bytes"), [])
        }
        switch order.verb {
        case .plan(let schedule, let person, let times):
            return plan([(person, times)], of: schedule, order, at: now, id)
        case .take(let schedule, let person, let moment):
            guard let shift = roster.schedules[schedule]?.shift(at: moment) else {
                return (.unknown("schedule \"\(schedule)\""), [])
            }
            if shift.person == person { return (.refused("\(person) has this shift"), []) }
            return plan([(person, max(shift.from, now)..<max(shift.until, now))], of: schedule, order, at: now, id)
        case .swap(let schedule, let first, let second):
            guard let schedules = roster.schedules[schedule] else {
                return (.unknown("schedule \"\(schedule)\""), [])
            }
            let shifts = (schedules.shift(at: first), schedules.shift(at: second))
            guard let one = shifts.0.person, let other = shifts.1.person else {
                return (.refused("nobody is on call at one of the times"), [])
            }
            if one == other { return (.refused("\(one) is on call at both times"), []) }
            let spans = [(other, shifts.0), (one, shifts.1)].map { ($0, max($1.from, now)..<max($1.until, now)) }
            return plan(spans, of: schedule, order, at: now, id)
        case .change(let id, let person, let from, let until):
            guard var override = planned[id] else { return (.unknown("override \"\(id)\""), []) }
            let begin = from ?? override.times.lowerBound
            let end = until ?? override.times.upperBound
            if let person { override.person = person }
            if let fault = fault(override.person, begin, end, at: now) { return (.refused(fault), []) }
            override.times = begin..<end
            if !order.reason.isEmpty { override.reason = order.reason }
            override.by = order.actor.name
            override.at = now
            override.revision += 1
            keep(override)
            return (
                .done([override]),
                [.recordSchedule(.init(kind: .changed, override: override, at: now, actor: order.actor))]
            )
        case .remove(let id):
            guard let override = planned[id] else { return (.unknown("override \"\(id)\""), []) }
            forget(override: id)
            return (
                .done([override]),
                [.recordSchedule(.init(kind: .removed, override: override, at: now, actor: order.actor))]
            )
        }
    }

    /// Plans overrides, all or none.
    private mutating func plan(
        _ spans: [(person: String, times: Range<Timestamp>)], of schedule: String, _ order: ScheduleOrder,
        at now: Timestamp, _ id: () -> String
    ) -> (ScheduleOutcome, [Action]) {
        guard roster.schedules[schedule] != nil else { return (.unknown("schedule \"\(schedule)\""), []) }
        for span in spans {
            if let fault = fault(span.person, span.times.lowerBound, span.times.upperBound, at: now) {
                return (.refused(fault), [])
            }
        }
        guard planned.count + spans.count <= Self.overrideCapacity else {
            return (.refused("\(Self.overrideCapacity) overrides are planned, which is the limit"), [])
        }
        var used = ids
        let overrides = spans.map { span in
            var fresh = id()
            while !used.insert(fresh).inserted { fresh = id() }
            return PlannedOverride(
                id: fresh, schedule: schedule, person: span.person, times: span.times, reason: order.reason,
                by: order.actor.name, at: now)
        }
        for override in overrides { keep(override) }
        return (
            .done(overrides),
            overrides.map { .recordSchedule(.init(kind: .planned, override: $0, at: now, actor: order.actor)) }
        )
    }

    private func fault(_ person: String, _ begin: Timestamp, _ end: Timestamp, at now: Timestamp) -> String? {
        if roster.people[person] == nil { return "there is no person \"\(person)\"" }
        if begin >= end { return "the end must be after the beginning" }
        if end <= now { return "the end is in the past" }
        if end - begin > ScheduleOrder.longest { return "an override lasts at most 366 days" }
        return nil
    }

    /// Forgets overrides that ended long ago.
    mutating func forgetOldOverrides(at now: Timestamp) {
        for override in planned.values where override.times.upperBound + Self.overrideAge < now {
            forget(override: override.id)
        }
    }
}

extension Schedule {
    /// The shift at `moment`, as far as a month around it.
    func shift(at moment: Timestamp) -> Shift {
        let shifts = shifts(from: moment - ScheduleOrder.reach, until: moment + ScheduleOrder.reach)
        return shifts.first { $0.from <= moment && moment < $0.until }
            ?? Shift(person: nil, from: moment, until: moment)
    }
}
