internal import History
internal import Identity
internal import JSON
internal import MetricModel
internal import Runtime
internal import WebCore
internal import WebServer

extension TribuneAPI {
    /// The endpoints of the ledger.
    var ledgerEndpoints: [Endpoint] {
        [
            .data(
                [.get], "/api/v1/history/events", "Lists events of the ledger, newest first.",
                parameters: [
                    .repeated("kind", .choice(LedgerEvent.Kind.allCases.map(\.rawValue)), "Only events of this kind."),
                    .optional("subject", .string, "Only events about this rule, plan or alert."),
                    .optional("service", .string, "Only events of this service."),
                    .optional("incident", .string, "Only events of this incident."),
                    .optional("text", .string, "Only events that hold this text, in any case of letters."),
                    .optional("start", .time, "Only events from this time on."),
                    .optional("end", .time, "Only events up to this time."),
                    .optional("cursor", .string, "The `next` of the page before."),
                    .optional("limit", .integer, "The most events, 100 unless given, at most 1000."),
                ], refusesUnknownParameters: true, events),
            .data(
                [.get], "/api/v1/history/status", "Shows the state of the history and its last verification.",
                refusesUnknownParameters: true, historyStatus),
            .data(
                [.get], "/api/v1/history/metrics/{service}", "Shows the latest measurements of a service.",
                parameters: [.path("service", .string, "The value of the label `service`.")],
                refusesUnknownParameters: true, latestMetrics),
            .data(
                [.get], "/api/v1/history/days",
                "Lists days of services: violations, rollbacks and daily rollups of what was measured.",
                parameters: [
                    .optional(
                        "start", .time, "The first day (UTC) has this time; 30 days before the end unless given."),
                    .optional("end", .time, "The last day has this time; now unless given."),
                    .optional("service", .string, "Only this service."),
                ], refusesUnknownParameters: true, days),
            .response(
                [.get], "/api/v1/history/pack",
                "Makes an evidence pack of a period: a ZIP archive with report, entries, proofs, configuration, verifier.",
                permission: .audit,
                parameters: [
                    .required("start", .time, "The start of the period."),
                    .optional("end", .time, "The end of the period; now unless given."),
                    .optional("service", .string, "Only this service, and entries about no service."),
                ], response: .file(contentType: "application/zip"), pack),
        ] + proofEndpoints
    }

    private func pack(_ call: APIRequest) -> HTTPServerResponse {
        do throws(APIError) {
            let from = try call.time("start").milliseconds
            let through = call["end"].isEmpty ? SystemClock.wallMilliseconds() : try call.time("end").milliseconds
            guard from <= through else { throw .invalid("start", "is after the end") }
            let service = call["service"].isEmpty ? nil : call["service"]
            let scope = EvidenceScope(from: from, through: through, service: service)
            let days = [from, through].map { RFC3339.text(milliseconds: $0).prefix(10) }
            let name = "tribune-evidence-\(days[0])-\(days[1])"
            let archive = try ledger { () throws(HistoryError) in try sources.ledger.pack(scope, name) }
            return HTTPServerResponse(
                status: 200,
                headers: [
                    ("Content-Type", "application/zip"),
                    ("Content-Disposition", "attachment; filename=\"\(name).zip\""),
                ], body: archive)
        } catch {
            return .text(error.message + "\n", status: error.kind.status)
        }
    }

    private func events(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let query = try ledgerQuery(call)
        var cursor: EventCursor?
        if !call["cursor"].isEmpty {
            cursor = EventCursor(call["cursor"])
            if cursor == nil { throw .invalid("cursor", "expected the \"next\" of the page before") }
        }
        let page = try ledger { () throws(HistoryError) in try sources.ledger.events(query, cursor) }
        writer.object { writer in
            writer.member("source", page.source.rawValue)
            writer.name("events")
            writer.array(page.entries) { Self.write($1, into: &$0) }
            if let next = page.next { writer.member("next", next.text) }
        }
        return APIResult()
    }

    private static func write(_ entry: LedgerEntry, into writer: inout JSONWriter) {
        let event = entry.event
        writer.object { writer in
            // An event that is not in the database yet has no place in the ledger.
            let isEntry = entry.sequence > 0
            if isEntry { writer.member("index", entry.sequence) }
            writer.member("time", Timestamp(milliseconds: event.milliseconds))
            writer.member("kind", event.kind.rawValue)
            writer.member("subject", event.subject)
            if let service = event.service { writer.member("service", service) }
            if let incident = event.incident { writer.member("incident", incident) }
            if let actor = entry.actor {
                writer.name("actor")
                writer.write(actor)
            }
            writer.name("body")
            writer.write(event.body)
            if isEntry {
                writer.member("hash", entry.hash)
                writer.member("proof", "/api/v1/history/proof/\(entry.sequence)")
            }
        }
    }

    private func historyStatus(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        guard let status = sources.ledger.status() else {
            throw APIError(.temporarilyUnavailable, "there is no history yet; retry")
        }
        let check = status.selfCheck
        let json: JSON = [
            "database": .string(status.database), "connected": .bool(status.isConnected),
            "behind": .bool(status.isBehind), "spooled": .integer(Int64(status.spooled)),
            "entries": .integer(status.size), "signedEntries": .integer(status.signedSize),
            "root": .string(status.root), "publicKey": .string(status.publicKey),
            "halted": status.halt.map(JSON.string) ?? .null, "lastError": status.lastError.map(JSON.string) ?? .null,
            "verification": [
                "finishedAt": check.finishedAt == 0
                    ? .null : .string(RFC3339.text(milliseconds: check.finishedAt)),
                "entries": .integer(check.entries), "problems": .integer(Int64(check.problems)),
                "firstBadEntry": check.firstBadEntry.map(JSON.integer) ?? .null,
                "message": check.message.map(JSON.string) ?? .null,
            ],
        ]
        writer.write(json)
        return APIResult()
    }

    private static let dayMilliseconds: Int64 = 86_400_000
    private static let dayLimit: Int64 = 1100

    private func days(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let end = call["end"].isEmpty ? SystemClock.wallMilliseconds() : try call.time("end").milliseconds
        let start = call["start"].isEmpty ? end - 30 * Self.dayMilliseconds : try call.time("start").milliseconds
        guard start <= end else { throw .invalid("start", "is after the end") }
        guard end - start <= Self.dayLimit * Self.dayMilliseconds else {
            throw .invalid("start", "more than \(Self.dayLimit) days before the end")
        }
        let service = call["service"].isEmpty ? nil : call["service"]
        let days = try ledger { () throws(HistoryError) in try sources.ledger.days(start, end, service) }
        writer.array(days) { writer, day in
            writer.object { writer in
                writer.member("day", String(RFC3339.text(milliseconds: day.day).prefix(10)))
                writer.member("service", day.service)
                writer.member("violations", day.violations)
                writer.member("rollbacks", day.rollbacks)
                writer.name("metrics")
                writer.array(day.metrics) { writer, metric in
                    writer.object { writer in
                        writer.member("name", metric.name)
                        writer.member("samples", metric.samples)
                        writer.name("average")
                        writer.write(.number(metric.average))
                        writer.name("minimum")
                        writer.write(.number(metric.minimum))
                        writer.name("maximum")
                        writer.write(.number(metric.maximum))
                    }
                }
            }
        }
        return APIResult()
    }

    private func latestMetrics(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let service = call.pathParameters[0]
        let (metrics, isCached) = try ledger { () throws(HistoryError) in try sources.ledger.latest(service) }
        let time: JSON =
            metrics.milliseconds == 0 ? .null : .string(RFC3339.text(milliseconds: metrics.milliseconds))
        writer.write([
            "service": .string(service), "source": isCached ? "cache" : "database", "timestamp": time,
            "metrics": metrics.json,
        ])
        return APIResult()
    }

    /// Queries the ledger. A failure of the database becomes 503, without its text: it may be away, or not
    /// be there yet after a first start.
    func ledger<Answer>(_ ask: () throws(HistoryError) -> Answer) throws(APIError) -> Answer {
        do throws(HistoryError) { return try ask() } catch {
            if error.code == .notFound { throw APIError(.notFound, error.message) }
            if error.code == .tooMuch { throw APIError(.badData, error.message) }
            throw APIError(.temporarilyUnavailable, "the history database cannot be read now; retry")
        }
    }

    private func ledgerQuery(_ call: APIRequest) throws(APIError) -> LedgerQuery {
        var query = LedgerQuery()
        for name in call.all("kind") where !name.isEmpty {
            guard let kind = LedgerEvent.Kind(rawValue: name) else {
                let kinds = LedgerEvent.Kind.allCases.map(\.rawValue).joined(separator: ", ")
                throw .invalid("kind", "unknown kind; expected one of \(kinds)")
            }
            if !query.kinds.contains(kind) { query.kinds.append(kind) }
        }
        func text(_ name: String) -> String? { call[name].isEmpty ? nil : call[name] }
        query.subject = text("subject")
        query.service = text("service")
        query.incident = text("incident")
        query.text = text("text")
        if !call["start"].isEmpty { query.from = try call.time("start").milliseconds }
        if !call["end"].isEmpty { query.through = try call.time("end").milliseconds }
        let limit = try call.limit()
        if limit > 0 { query.limit = min(limit, 1000) }
        return query
    }
}
