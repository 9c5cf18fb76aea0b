internal import JSON
internal import MetricModel
internal import OnCall
internal import Runtime
internal import WebServer

/// `tribune oncall override|take|swap|…`: changes who is on call by a running Tribune.
enum ScheduleCommands {
    private static let options = PageCommands.options + [.value("reason", "TEXT", "Why, for the ledger.")]
    private static let times: [Command.Option] = [
        .value("from", "TIME", "From when on, RFC 3339."), .value("until", "TIME", "Until when, RFC 3339."),
    ]

    static let all: [Command] = [
        Command(
            "oncall overrides", "List the shifts of a schedule and the overrides that are planned.",
            operands: "SCHEDULE", count: 1...1,
            options: PageCommands.options + [.value("days", "DAYS", "How many days are printed.", default: "28")]
        ) { (invocation) throws(CommandFailure) in try list(invocation) },
        Command(
            "oncall override", "Put a person on call for some time, whatever the schedule says.",
            operands: "SCHEDULE PERSON", count: 2...2, options: options + times
        ) { (invocation) throws(CommandFailure) in
            let fields = try moments(invocation, ["from": "start", "until": "end"], isRequired: true)
            return try give(
                "schedules/\(name(invocation))/overrides", [("person", invocation.operands[1])] + fields, invocation)
        },
        Command(
            "oncall take", "Give the shift at a time to a person; of a shift that has begun, the rest.",
            operands: "SCHEDULE PERSON", count: 2...2,
            options: options + [.value("at", "TIME", "A time in the shift, RFC 3339. Default: now.")]
        ) { (invocation) throws(CommandFailure) in
            let fields = try moments(invocation, ["at": "time"], isRequired: false)
            return try give(
                "schedules/\(name(invocation))/take", [("person", invocation.operands[1])] + fields, invocation)
        },
        Command(
            "oncall swap", "Let the people of two shifts take each other's.", operands: "SCHEDULE TIME TIME",
            count: 3...3, options: options, details: "The times are RFC 3339, one in each of the shifts."
        ) { (invocation) throws(CommandFailure) in
            let fields = [("first", invocation.operands[1]), ("second", invocation.operands[2])]
            return try give("schedules/\(name(invocation))/swap", fields, invocation)
        },
        Command(
            "oncall change", "Change a planned override.", operands: "OVERRIDE", count: 1...1,
            options: options + times + [.value("person", "NAME", "Who is on call.")]
        ) { (invocation) throws(CommandFailure) in
            let fields = try moments(invocation, ["from": "start", "until": "end"], isRequired: false)
            let person = invocation.value("person").map { [("person", $0)] } ?? []
            return try give("overrides/\(name(invocation))", fields + person, invocation)
        },
        Command(
            "oncall cancel", "Take a planned override back.", operands: "OVERRIDE", count: 1...1, options: options
        ) { (invocation) throws(CommandFailure) in
            let reason = invocation.value("reason").map { "?reason=\(URLEncoding.escape($0))" } ?? ""
            return try show(
                try PageCommands.client(invocation).delete("oncall/overrides/\(name(invocation))\(reason)"), "removed")
        },
    ]

    private static func name(_ invocation: Invocation) -> String { URLEncoding.escape(invocation.operands[0]) }

    /// The times among the options, under the names of the API's parameters.
    private static func moments(
        _ invocation: Invocation, _ names: KeyValuePairs<String, String>, isRequired: Bool
    ) throws(CommandFailure) -> [(String, String)] {
        var fields: [(String, String)] = []
        for (option, parameter) in names {
            guard let text = invocation.value(option) else {
                if isRequired { throw CommandFailure("--\(option) is missing", code: .usage) }
                continue
            }
            guard RFC3339.milliseconds(parsing: text) != nil else {
                throw invocation.misuse(of: option, "a time such as 2026-12-24T08:00:00+01:00")
            }
            fields.append((parameter, text))
        }
        return fields
    }

    private static func give(
        _ path: String, _ fields: [(String, String)], _ invocation: Invocation
    ) throws(CommandFailure) -> Int32 {
        let reason = invocation.value("reason").map { [("reason", $0)] } ?? []
        return try show(try PageCommands.client(invocation).post("oncall/\(path)", fields + reason), "planned")
    }

    private static func show(_ answer: JSON, _ word: String) throws(CommandFailure) -> Int32 {
        for override in answer["data"]?["overrides"]?.elements ?? [] { Console.print("\(word): \(text(of: override))") }
        return 0
    }

    /// `k3f9x2ab  bob from … until … by ada: dentist`.
    private static func text(of override: JSON) -> String {
        func part(_ name: String) -> String { override[name]?.text ?? "" }
        let reason = part("reason").isEmpty ? "" : ": \(part("reason"))"
        return
            "\(part("override"))  \(part("person")) from \(part("from")) until \(part("until")) by \(part("by"))\(reason)"
    }

    private static func list(_ invocation: Invocation) throws(CommandFailure) -> Int32 {
        guard let days = Int64(invocation.value("days") ?? ""), (1...366).contains(days) else {
            throw invocation.misuse(of: "days", "1 to 366")
        }
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        let span = "start=\(now.seconds)&end=\((now + .hours(24 * days)).seconds)"
        let data =
            try PageCommands.client(invocation).get("oncall/schedules/\(name(invocation))?\(span)")["data"] ?? .null
        for shift in data["shifts"]?.elements ?? [] {
            Console.print(
                "\(shift["from"]?.text ?? "") to \(shift["until"]?.text ?? "")  \(shift["person"]?.text ?? "nobody")")
        }
        for override in data["overrides"]?.elements ?? [] { Console.print("override \(text(of: override))") }
        return 0
    }
}
