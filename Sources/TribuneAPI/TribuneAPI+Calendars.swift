internal import Identity
internal import JSON
internal import MetricModel
internal import OnCall
internal import Runtime
internal import WebCore
internal import WebServer

/// The shifts of each person as a feed. Programs for calendars send no credentials, so the address is the proof.
extension TribuneAPI {
    var calendarEndpoints: [Endpoint] {
        [
            .data(
                [.get], "/api/v1/oncall/people", "Lists people with the paths of their calendars.", needsStore: false,
                refusesUnknownParameters: true, people),
            .response(
                [.get], "/oncall/calendars/{token}", "Shows the shifts of a person as an iCalendar feed.",
                permission: .probe, parameters: [.path("token", .string, "The text of the person's calendar.")],
                response: .file(contentType: "text/calendar"), isSlow: true, calendar),
        ]
    }

    private func people(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let people = sources.onCall.book().roster.people.values.sorted { $0.name < $1.name }
        writer.object { writer in
            writer.name("people")
            writer.array(people) { writer, person in
                writer.object { writer in
                    writer.member("name", person.name)
                    writer.member("calendar", "/oncall/calendars/\(sources.onCall.calendarToken(person.name))")
                    writer.name("contacts")
                    writer.array(person.contacts) { writer, contact in
                        writer.object {
                            $0.member("receiver", contact.receiver)
                            $0.member("push", contact.isPush)
                            $0.member("after", contact.delay.description)
                        }
                    }
                }
            }
        }
        return APIResult()
    }

    private func calendar(_ call: APIRequest) -> HTTPServerResponse {
        let roster = sources.onCall.book().roster
        guard let person = sources.onCall.calendarPerson(call.pathParameters[0]), roster.people[person] != nil else {
            return .text("no such calendar\n", status: 404)
        }
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        let host = call.request[header: "Host"] ?? "tribune"
        let feed = ICalendar.feed(of: person, in: roster, at: now, host: host)
        return HTTPServerResponse(
            status: 200, headers: [("Content-Type", "text/calendar; charset=utf-8")], body: Array(feed.utf8))
    }
}
