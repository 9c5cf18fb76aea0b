internal import Identity
internal import JSON
internal import MetricModel
internal import OnCall
internal import OnCallRunner
internal import Runtime
internal import WebCore
internal import WebServer

/// Pages, who is on call, and the orders of those who were called.
extension TribuneAPI {
    private static let page = Parameter.path("page", .string, "The id of a page.")
    private static let verbs = ["acknowledge", "resolve", "snooze", "reassign", "escalate", "note"]

    var onCallEndpoints: [Endpoint] {
        [
            .data(
                [.get], "/api/v1/oncall/pages", "Lists pages, the newest first.",
                parameters: [
                    .optional(
                        "state", .choice(["open", "escalating", "acknowledged", "snoozed", "resolved", "all"]),
                        "Only pages in this state; `open`, which is all but `resolved`, unless given.")
                ], needsStore: false, refusesUnknownParameters: true, pages),
            .data(
                [.post], "/api/v1/oncall/pages", "Opens a page by hand.", permission: .silence,
                parameters: [
                    .required("title", .string, "One line for the people who are called."),
                    .required("policy", .string, "The policy that is followed."),
                    .optional("severity", .string, "The severity."),
                    .optional("actor", .string, "Who opens it; the client's address unless given."),
                ], needsStore: false, refusesUnknownParameters: true, openPage),
            .data(
                [.get], "/api/v1/oncall/pages/{page}", "Shows a page.", parameters: [Self.page], needsStore: false,
                page),
            .data(
                [.post], "/api/v1/oncall/pages/{page}/{verb}", "Answers a page.", permission: .silence,
                parameters: [
                    Self.page, .path("verb", .choice(Self.verbs), "The order."),
                    .optional("until", .time, "The end of a snooze."),
                    .optional("for", .duration, "The length of a snooze, in place of `until`."),
                    .optional("policy", .string, "The policy that a page is reassigned to."),
                    .optional("person", .string, "The person that a page is reassigned to."),
                    .optional("text", .string, "The text of a note."),
                    .optional("actor", .string, "Who gives the order; the client's address unless given."),
                ], needsStore: false, refusesUnknownParameters: true, answerPage),
        ] + scheduleEndpoints + calendarEndpoints + browserEndpoints + pageLinkEndpoints + inboundEndpoints
            + chatEndpoints
    }

    private func pages(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let wanted = call["state"].isEmpty ? "open" : call["state"]
        let states = ["escalating", "acknowledged", "snoozed", "resolved"]
        guard wanted == "open" || wanted == "all" || states.contains(wanted) else {
            throw .invalid("state", "expected open, all, \(states.joined(separator: ", "))")
        }
        let book = sources.onCall.book()
        let found = book.entries.values.filter { entry in
            wanted == "all" || (wanted == "open" ? !entry.page.isResolved : entry.page.state.name == wanted)
        }
        let sorted = found.sorted { ($1.page.openedAt, $1.page.id) < ($0.page.openedAt, $0.page.id) }
        writer.object { writer in
            writer.name("pages")
            writer.array(sorted) { Self.write($1, book, into: &$0) }
        }
        return APIResult()
    }

    private func openPage(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let (title, policy) = (call["title"], call["policy"])
        if title.isEmpty { throw .invalid("title", "a page needs a title") }
        guard sources.onCall.book().roster.policy(policy) != nil else {
            throw .invalid("policy", "there is no policy \(MetricText.quoted(policy))")
        }
        let actor = Self.actor(of: call).name
        let problem = Problem(
            key: "by hand/\(Self.freshKey())", title: title, severity: call["severity"], source: "opened by \(actor)",
            policy: policy)
        do throws(OnCallRefusal) { try sources.onCall.receive(.trigger(problem)) } catch {
            throw APIError(.unavailable, error.description)
        }
        let page = sources.onCall.book().openPage(of: problem.key)?.page.id
        writer.object { $0.member("page", orNull: page) }
        return APIResult()
    }

    private func page(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let book = sources.onCall.book()
        guard let entry = book.entries[call.pathParameters[0]] else {
            throw APIError(.notFound, "no page \(MetricText.quoted(call.pathParameters[0]))")
        }
        Self.write(entry, book, into: &writer)
        return APIResult()
    }

    private static func write(_ entry: PageBook.Entry, _ book: PageBook, into writer: inout JSONWriter) {
        let (page, problem) = (entry.page, entry.problem)
        writer.object { writer in
            writer.member("page", page.id)
            writer.member("title", problem.title)
            writer.member("severity", problem.severity)
            writer.member("state", page.state.name)
            writer.member("opened", page.openedAt)
            writer.member("source", problem.source)
            writer.member("policy", page.policy)
            writer.member("step", page.next.step)
            writer.member("by", orNull: entry.actor)
            switch page.state {
            case .acknowledged(_, let until): writer.member("until", orNull: until.map(text))
            case .snoozed(_, let until): writer.member("until", text(until))
            case .resolved(let at): writer.member("resolved", at)
            case .escalating: break
            }
            writer.member("next_call", orNull: book.nextCall(of: entry).map(text))
            if case .child(let parent) = entry.hold {
                writer.member("child_of", parent)
            } else {
                writer.member("child_of", orNull: String?.none)
            }
            writer.name("children")
            writer.array(book.children(of: page.id)) { $0.string($1) }
            writer.member("flapping", entry.isFlapping)
            writer.member("alarm", orNull: entry.alarm?.reason.rawValue)
            writer.member("url", problem.url)
            for (name, labels) in [("labels", problem.labels), ("annotations", problem.annotations)] {
                writer.name(name)
                writer.write(labels.stored)
            }
            writer.name("called")
            writer.array(page.notified) { $0.string($1) }
            writer.name("notes")
            writer.array(entry.notes) { writer, note in
                writer.object {
                    $0.member("at", note.at)
                    $0.member("by", note.by)
                    $0.member("text", note.text)
                }
            }
        }
    }

    static func text(_ moment: Timestamp) -> String { RFC3339.text(milliseconds: moment.milliseconds) }

    // MARK: Orders

    private func answerPage(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let wanted = PageOrder(try Self.verb(call), by: Self.actor(of: call))
        switch try order(wanted, page: call.pathParameters[0]) {
        case .done: writer.object { $0.member("accepted", true) }
        case .unchanged(let reason):
            writer.object {
                $0.member("accepted", false)
                $0.member("ignored", reason)
            }
        case .refused(let reason): throw APIError(.conflict, reason)
        case .unknownPage, .linkIsUsed:
            throw APIError(.notFound, "no page \(MetricText.quoted(call.pathParameters[0]))")
        }
        return APIResult()
    }

    func order(_ order: PageOrder, page: String) throws(APIError) -> PageOutcome {
        do throws(OnCallRefusal) { return try sources.onCall.order(order, page) } catch {
            throw APIError(.unavailable, error.description)
        }
    }

    private static func verb(_ call: APIRequest) throws(APIError) -> PageOrder.Verb {
        switch call.pathParameters[1] {
        case "acknowledge": return .acknowledge
        case "resolve": return .resolve
        case "escalate": return .escalate
        case "note":
            if call["text"].isEmpty { throw .invalid("text", "a note needs a text") }
            return .note(call["text"])
        case "snooze":
            if !call["until"].isEmpty { return .snooze(until: try call.time("until")) }
            guard !call["for"].isEmpty else { throw .invalid("for", "a snooze needs until or for") }
            let length = try call.duration("for")
            guard length > .zero, length <= .hours(24 * 31) else { throw .invalid("for", "must be up to 31d") }
            return .snooze(until: Timestamp(milliseconds: SystemClock.wallMilliseconds()) + length)
        case "reassign":
            switch (call["policy"], call["person"]) {
            case ("", ""): throw .invalid("policy", "a page is reassigned to a policy or a person")
            case ("", let person): return .reassign(.person(person))
            case (let policy, ""): return .reassign(.policy(policy))
            case _: throw .invalid("policy", "either a policy or a person")
            }
        case _: throw APIError(.notFound, "unknown order; expected one of \(verbs.joined(separator: ", "))")
        }
    }

    /// Who sends the request, with what was proved apart from what was said.
    static func actor(of call: APIRequest) -> PageActor {
        let principal = call.principal
        return PageActor(
            identity: principal.name, method: principal.method.rawValue,
            peer: principal.address.isEmpty ? nil : principal.address, claimed: principal.claimed)
    }
}
