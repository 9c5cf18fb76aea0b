internal import JSON
internal import MetricModel
internal import OnCall
internal import OnCallRunner
internal import Runtime
internal import YAML

/// `tribune oncall …`: what an `oncall.yml` means, without a server.
enum OnCallCommands {
    static let all = [check, who, schedule, escalations, importing]

    private static let at = Command.Option.value("at", "TIME", "The time asked about, RFC 3339. Default: now.")

    static let check = Command(
        "check oncall", "Check a file of people, schedules and escalation policies.", operands: "FILE", count: 1...1,
        options: [.value("days", "DAYS", "How far ahead gaps of the schedules are looked for.", default: "90")],
        details: "The exit code is 1 if the file cannot be read, and 3 if a schedule has a time with nobody on call."
    ) { (invocation) throws(CommandFailure) in
        let path = invocation.operands[0]
        let roster = try load(path)
        let days = try days(invocation)
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        var gaps = 0
        for schedule in roster.schedules.values.sorted(by: { $0.name < $1.name }) {
            for shift in schedule.shifts(from: now, until: now + .hours(24 * days)) where shift.person == nil {
                gaps += 1
                if gaps <= 20 { Console.print("warning: \(schedule.name): nobody from \(times(shift, schedule.zone))") }
            }
        }
        if gaps > 20 { Console.print("warning: \(gaps - 20) more times with nobody on call") }
        Console.print(
            "SUCCESS: \(path) is valid: \(roster.people.count) people, \(roster.teams.count) teams, "
                + "\(roster.schedules.count) schedules, \(roster.policies.count) policies")
        return gaps == 0 ? 0 : CommandFailure.Code.lint.rawValue
    }

    static let who = Command(
        "oncall who", "Print who is on call by each schedule of a file.", operands: "FILE", count: 1...1, options: [at]
    ) { (invocation) throws(CommandFailure) in
        let roster = try load(invocation.operands[0])
        let moment = try moment(invocation)
        let rows = roster.schedules.values.sorted { $0.name < $1.name }.map { schedule in
            (schedule.name, schedule.person(at: moment) ?? "nobody")
        }
        Console.print(Console.table(rows), terminator: "")
        return 0
    }

    static let schedule = Command(
        "oncall schedule", "Print the shifts of a schedule.", operands: "FILE NAME", count: 2...2,
        options: [at, .value("days", "DAYS", "How many days are printed.", default: "28")]
    ) { (invocation) throws(CommandFailure) in
        let roster = try load(invocation.operands[0])
        let name = invocation.operands[1]
        guard let schedule = roster.schedules[name] else {
            throw CommandFailure("there is no schedule \"\(name)\"; there are: \(list(roster.schedules.keys))")
        }
        let from = try moment(invocation)
        for shift in schedule.shifts(from: from, until: from + .hours(24 * (try days(invocation)))) {
            Console.print("\(times(shift, schedule.zone))  \(shift.person ?? "nobody")")
        }
        return 0
    }

    static let escalations = Command(
        "oncall escalations", "Print who would be called about a page, and when, if nobody acknowledged it.",
        operands: "FILE POLICY", count: 2...2, options: [at]
    ) { (invocation) throws(CommandFailure) in
        let roster = try load(invocation.operands[0])
        let name = invocation.operands[1]
        guard roster.policies[name] != nil else {
            throw CommandFailure("there is no policy \"\(name)\"; there are: \(list(roster.policies.keys))")
        }
        let opened = try moment(invocation)
        var page = Page(id: "", key: "", policy: name, at: opened)
        var next: Timestamp? = opened
        var rows: [(String, String)] = []
        while let now = next {
            next = nil
            for action in page.clockReached(now, roster: roster) {
                let after = "+\((now - opened).description)"
                switch action {
                case .send(let call):
                    rows.append((after, call.person.map { "\($0) by \(call.receiver)" } ?? call.receiver))
                case .unreachable: rows.append((after, "nobody: the targets of this step mean no person now"))
                case .unanswered: rows.append((after, "unanswered: all rounds are over"))
                case .wake(let time): next = time
                case .sendResolved, .undelivered: break
                }
            }
        }
        Console.print(Console.table(rows), terminator: "")
        return 0
    }

    static let importing = Command(
        "oncall import", "Print an export of Grafana OnCall, PagerDuty or Opsgenie as an oncall.yml.",
        operands: "FORMAT FILE...", count: 2...20,
        details: """
            FORMAT is grafana-oncall, pagerduty or opsgenie. The files hold what the tool's API returns: objects with
            the lists users, schedules, escalation_policies and so on. What cannot be carried over is a comment at the
            top. Each contact is a receiver that alertmanager.yml must have.
            """
    ) { (invocation) throws(CommandFailure) in
        guard let format = ImportedRoster.Format(rawValue: invocation.operands[0]) else {
            let formats = ImportedRoster.Format.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandFailure("expected one of \(formats), got \"\(invocation.operands[0])\"", code: .usage)
        }
        var objects: [JSON] = []
        for path in invocation.operands.dropFirst() {
            do {
                objects.append(try JSON(parsing: try FileText.bytes(path, limit: 64 << 20)))
            } catch {
                throw CommandFailure("\(path): \(error)")
            }
        }
        do throws(InboundError) {
            let roster = try ImportedRoster(format, objects)
            for remark in roster.remarks { Console.error("warning: \(remark)") }
            Console.print(roster.yaml, terminator: "")
            return roster.remarks.isEmpty ? 0 : CommandFailure.Code.lint.rawValue
        } catch {
            throw CommandFailure(error.description)
        }
    }

    private static func load(_ path: String) throws(CommandFailure) -> Roster {
        let configuration: OnCallConfiguration
        do throws(YAMLError) { configuration = try OnCallConfiguration.load(path) } catch {
            throw CommandFailure("FAILED: \(error)")
        }
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        do throws(CalendarFetchError) { return try CalendarFetch().roster(configuration.roster, at: now) } catch {
            throw CommandFailure("FAILED: \(path): \(error)")
        }
    }

    private static func moment(_ invocation: Invocation) throws(CommandFailure) -> Timestamp {
        guard let text = invocation.value("at") else {
            return Timestamp(milliseconds: SystemClock.wallMilliseconds())
        }
        guard let milliseconds = RFC3339.milliseconds(parsing: text) else {
            throw invocation.misuse(of: "at", "a time such as 2026-12-24T08:00:00+01:00")
        }
        return Timestamp(milliseconds: milliseconds)
    }

    private static func days(_ invocation: Invocation) throws(CommandFailure) -> Int64 {
        guard let days = Int64(invocation.value("days") ?? ""), (1...3660).contains(days) else {
            throw invocation.misuse(of: "days", "1 to 3660")
        }
        return days
    }

    private static func list(_ names: some Sequence<String>) -> String { names.sorted().joined(separator: ", ") }

    /// The times of a shift on local clocks.
    private static func times(_ shift: Schedule.Shift, _ zone: TimeZone) -> String {
        "\(local(shift.from, zone)) to \(local(shift.until, zone))"
    }

    private static func local(_ moment: Timestamp, _ zone: TimeZone) -> String {
        let offset = zone.offset(at: moment.milliseconds / 1000)
        let text = RFC3339.text(milliseconds: moment.milliseconds + offset * 1000)
        return text.prefix(10) + " " + text.dropFirst(11).prefix(5)
    }
}
