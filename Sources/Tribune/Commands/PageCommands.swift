internal import JSON
internal import MetricModel
internal import OnCall
internal import Runtime
internal import WebServer

/// `tribune oncall pages|ack|…`: shows the pages of a running Tribune and answers them.
enum PageCommands {
    static let options: [Command.Option] = [
        .value("server", "URL", "The running Tribune.", default: "http://127.0.0.1:9190"),
        .value("token-file", "FILE", "File with the bearer token, for a server on another machine."),
    ]

    static let all: [Command] = [
        pages, show, open, test, report,
        order("ack", "acknowledge", "Acknowledge a page: nobody else is called."),
        order("resolve", "resolve", "Resolve a page."),
        order("escalate", "escalate", "Fire the next step of a page now."),
        order(
            "snooze", "snooze", "Call nobody about a page for some time.",
            [
                .value("for", "DURATION", "How long, such as 30m; 1h unless given."),
                .value("until", "TIME", "Until when, RFC 3339, in place of --for."),
            ]
        ) { invocation in
            if let until = invocation.value("until") { return [("until", until)] }
            return [("for", invocation.value("for") ?? "1h")]
        },
        order(
            "reassign", "reassign", "Give a page to another policy or person.",
            [
                .value("policy", "NAME", "The policy, which begins with its first step."),
                .value("person", "NAME", "The person."),
            ]
        ) { invocation in
            ["policy", "person"].compactMap { name in invocation.value(name).map { (name, $0) } }
        },
        Command(
            "oncall note", "Add a remark to a page.", operands: "PAGE TEXT", count: 2...2, options: options
        ) { (invocation) throws(CommandFailure) in
            try give("note", invocation, [("text", invocation.operands[1])])
        },
    ]

    private static let pages = Command(
        "oncall pages", "List pages.",
        options: options + [
            .value("state", "STATE", "open, escalating, acknowledged, snoozed, resolved or all.", default: "open"),
            .flag("json", "Print JSON."),
        ]
    ) { (invocation) throws(CommandFailure) in
        let wanted = invocation.value("state") ?? "open"
        let data = try client(invocation).get("oncall/pages?state=\(URLEncoding.escape(wanted))")["data"] ?? .null
        let pages = data["pages"]?.elements ?? []
        if invocation.flag("json") {
            Console.print(JSON.array(pages).encoded)
            return 0
        }
        let rows = pages.map { page in
            (
                page["page"]?.text ?? "",
                "\(state(of: page))  \(page["severity"]?.text ?? "")  \(page["title"]?.text ?? "")"
            )
        }
        Console.print(rows.isEmpty ? "no pages\n" : Console.table(rows), terminator: "")
        return 0
    }

    private static let open = Command(
        "oncall open", "Open a page by hand.", operands: "POLICY TITLE", count: 2...2,
        options: options + [.value("severity", "WORD", "The severity.", default: "critical")]
    ) { (invocation) throws(CommandFailure) in
        try open(invocation, invocation.operands[1])
    }

    private static let test = Command(
        "oncall test", "Open a page that says it is a test, to see whether a policy reaches people.",
        operands: "POLICY", count: 1...1,
        options: options + [.value("severity", "WORD", "The severity.", default: "info")]
    ) { (invocation) throws(CommandFailure) in
        try open(invocation, "Test of the policy \(invocation.operands[0]): please acknowledge")
    }

    private static func open(_ invocation: Invocation, _ title: String) throws(CommandFailure) -> Int32 {
        let answer = try client(invocation).post(
            "oncall/pages",
            [
                ("policy", invocation.operands[0]), ("title", title),
                ("severity", invocation.value("severity") ?? ""),
            ])
        Console.print(answer["data"]?["page"]?.text ?? "")
        return 0
    }

    private static let report = Command(
        "oncall report", "Print how often each alert paged, how soon it was answered, and how often nobody had to act.",
        options: options + [
            .value("days", "DAYS", "How many days back.", default: "7"),
            .value("within", "DURATION", "How soon an answer comes in time.", default: "5m"),
            .flag("json", "Print JSON."),
        ],
        details: """
            A line for each alert, that with the most pages first: its pages in all and for each week, the calls, the pages
            that were answered, and in time; that ended without an answer, so that nobody had to act; that ended within 5m;
            that were held by the page of something that the service needs; that flapped; the median time to the answer.
            """
    ) { (invocation) throws(CommandFailure) in
        guard let within = (try? Milliseconds(reading: invocation.value("within") ?? "")), within > .zero else {
            throw invocation.misuse(of: "within", "a duration such as 5m")
        }
        guard let days = Int64(invocation.value("days") ?? ""), (1...366).contains(days) else {
            throw invocation.misuse(of: "days", "1 to 366")
        }
        let client = try client(invocation)
        let start = Timestamp(milliseconds: SystemClock.wallMilliseconds()) - .hours(24 * days)
        var happenings: [NoiseReport.Happening] = []
        for kind in ["page", "acknowledgement"] {
            var cursor = ""
            // A hundred pages of a thousand entries.
            for _ in 0..<100 {
                var path = "history/events?kind=\(kind)&limit=1000&start=\(start.seconds)"
                if !cursor.isEmpty { path += "&cursor=\(URLEncoding.escape(cursor))" }
                let data = try client.get(path)["data"] ?? .null
                happenings += (data["events"]?.elements ?? []).compactMap(NoiseReport.Happening.init(entry:))
                guard let next = data["next"]?.text else { break }
                cursor = next
            }
        }
        let report = NoiseReport(happenings, over: .hours(24 * days), answeredWithin: within)
        if invocation.flag("json") {
            Console.print(JSON.array(report.rows.map(\.json)).encoded)
            return 0
        }
        let rows = report.rows.map { row in
            let median = row.medianAnswer.map { Milliseconds.seconds($0.rawValue / 1000).description } ?? "-"
            let week = Double(Int(row.perWeek * 10 + 0.5)) / 10
            return (
                row.subject,
                "\(row.pages) pages  \(week) a week  \(row.calls) calls  \(row.answered) answered  "
                    + "\(row.answeredInTime) within \(within)  \(row.endedUnanswered) ended unanswered  \(row.short) short  "
                    + "\(row.held) held  \(row.flapping) flapping  \(median)"
            )
        }
        Console.print(rows.isEmpty ? "no pages\n" : Console.table(rows), terminator: "")
        return 0
    }

    private static let show = Command(
        "oncall page", "Show a page.", operands: "PAGE", count: 1...1,
        options: options + [.flag("json", "Print JSON.")]
    ) { (invocation) throws(CommandFailure) in
        let page =
            try client(invocation).get("oncall/pages/\(URLEncoding.escape(invocation.operands[0]))")["data"] ?? .null
        if invocation.flag("json") {
            Console.print(page.encoded)
            return 0
        }
        var rows = [("title", page["title"]?.text ?? ""), ("state", state(of: page))]
        for name in ["severity", "opened", "source", "policy", "next_call", "alarm", "child_of", "url"] {
            if let text = page[name]?.text, !text.isEmpty { rows.append((name.replacing("_", with: " "), text)) }
        }
        rows += (page["labels"]?.members ?? []).map { ("label", "\($0.name)=\($0.value.text ?? "")") }
        let children = (page["children"]?.elements ?? []).compactMap(\.text)
        if !children.isEmpty { rows.append(("children", children.joined(separator: ", "))) }
        if page["flapping"]?.bool == true { rows.append(("flapping", "its end does not end the page at once")) }
        rows.append(("called", (page["called"]?.elements ?? []).compactMap(\.text).joined(separator: ", ")))
        for note in page["notes"]?.elements ?? [] {
            rows.append(
                ("note", "\(note["at"]?.text ?? "") \(note["by"]?.text ?? ""): \(note["text"]?.text ?? "")"))
        }
        Console.print(Console.table(rows), terminator: "")
        return 0
    }

    /// `acknowledged by ada until 2026-…`.
    private static func state(of page: JSON) -> String {
        var text = page["state"]?.text ?? ""
        if let person = page["by"]?.text { text += " by \(person)" }
        if let until = page["until"]?.text { text += " until \(until)" }
        return text
    }

    private static func order(
        _ name: String, _ verb: String, _ summary: String, _ more: [Command.Option] = [],
        _ fields: @escaping @Sendable (Invocation) -> [(String, String)] = { _ in [] }
    ) -> Command {
        Command("oncall \(name)", summary, operands: "PAGE", count: 1...1, options: options + more) {
            (invocation) throws(CommandFailure) in
            try give(verb, invocation, fields(invocation))
        }
    }

    private static func give(
        _ verb: String, _ invocation: Invocation, _ fields: [(String, String)]
    ) throws(CommandFailure) -> Int32 {
        let page = invocation.operands[0]
        let answer = try client(invocation).post("oncall/pages/\(URLEncoding.escape(page))/\(verb)", fields)
        if let ignored = answer["data"]?["ignored"]?.text {
            throw CommandFailure("\(page): \(verb) had no effect: \(ignored)")
        }
        Console.print("\(page): \(verb) accepted")
        return 0
    }

    static func client(_ invocation: Invocation) throws(CommandFailure) -> APIClient {
        var client = APIClient(invocation.value("server") ?? "")
        if let path = invocation.value("token-file") { client.token = try Console.secret(in: path) }
        return client
    }
}

extension NoiseReport.Row {
    fileprivate var json: JSON {
        [
            "alert": .string(subject), "pages": .integer(Int64(pages)), "per_week": .number(perWeek),
            "calls": .integer(Int64(calls)), "answered": .integer(Int64(answered)),
            "answered_in_time": .integer(Int64(answeredInTime)),
            "ended_unanswered": .integer(Int64(endedUnanswered)), "short": .integer(Int64(short)),
            "held": .integer(Int64(held)), "flapping": .integer(Int64(flapping)),
            "median_answer_seconds": medianAnswer.map { .number($0.seconds) } ?? .null,
        ]
    }
}

extension NoiseReport.Happening {
    /// The text of an entry of the record; `nil` if it is not about a page.
    fileprivate init?(entry: JSON) {
        guard let body = entry["body"], let page = body["page"]?.text, let state = body["state"]?.text,
            let time = entry["time"]?.text.flatMap({ RFC3339.milliseconds(parsing: $0) })
        else { return nil }
        self.init(page: page, state: state, at: Timestamp(milliseconds: time), subject: entry["subject"]?.text ?? "")
    }
}
