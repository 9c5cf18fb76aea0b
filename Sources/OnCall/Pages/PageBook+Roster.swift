public import MetricModel

/// The configuration in force: that of the file with calendars, planned overrides and browsers.
extension PageBook {
    /// Other people, schedules and policies are in force. Pages go on; one whose policy is gone raises an alarm.
    public mutating func reconfigured(_ roster: Roster, at now: Timestamp) -> [Action] {
        configured = roster
        calendars = calendars.filter { roster.schedules[$0.key]?.source != nil }
        bringIntoForce()
        expectHeartbeats(at: now)
        digestDues = [:]
        var actions: [Action] = []
        for id in open.values.sorted() {
            guard var entry = entries[id] else { continue }
            let before = entry
            actions += advance(&entry, at: now)
            if entry != before { keep(entry) }
        }
        return actions
    }

    /// The calendar of a schedule was read.
    ///
    /// - Parameter shifts: ascending, without overlaps.
    public mutating func calendarRead(_ schedule: String, _ shifts: [Schedule.Shift]) {
        guard configured.schedules[schedule]?.source != nil else { return }
        calendars[schedule] = shifts
        bringIntoForce()
    }

    mutating func bringIntoForce() {
        roster = configured
        for (name, shifts) in calendars { roster.schedules[name]?.calendar = shifts }
        // One of a person who is gone would call nobody.
        for override in planned.values.sorted(by: { ($0.at, $0.id) < ($1.at, $1.id) })
        where roster.people[override.person] != nil {
            roster.schedules[override.schedule]?.planned.append(.init(person: override.person, times: override.times))
        }
    }

    /// Puts a new or changed override in force.
    mutating func keep(_ override: PlannedOverride) {
        planned[override.id] = override
        changed.insert(override.id)
        bringIntoForce()
    }

    mutating func forget(override id: String) {
        planned[id] = nil
        changed.remove(id)
        forgotten.insert(id)
        bringIntoForce()
    }

    /// Puts a new or changed browser in force.
    mutating func keep(_ browser: Browser) {
        browsers[browser.id] = browser
        changed.insert(browser.id)
    }

    mutating func forget(browser id: String) {
        browsers[id] = nil
        changed.remove(id)
        forgotten.insert(id)
    }
}
