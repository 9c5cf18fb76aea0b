internal import History
internal import JSON
internal import MetricModel
internal import WebCore

extension TribuneAPI {
    /// `/api/v1/history/events`
    func events(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let query = try ledgerQuery(call)
        let entries: [LedgerEntry]
        do throws(HistoryError) { entries = try sources.events(query) } catch {
            throw APIError(.unavailable, "the history database cannot be read now")
        }
        writer.object { writer in
            writer.name("events")
            writer.array(entries) { writer, entry in
                writer.object {
                    $0.member("index", entry.sequence)
                    $0.member("time", Timestamp(milliseconds: entry.event.milliseconds))
                    $0.member("kind", entry.event.kind.rawValue)
                    $0.member("subject", entry.event.subject)
                    $0.name("body")
                    $0.write(entry.event.body)
                }
            }
        }
        return APIResult()
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
        if !call["start"].isEmpty { query.from = try call.time("start").milliseconds }
        if !call["end"].isEmpty { query.through = try call.time("end").milliseconds }
        let limit = try call.limit()
        if limit > 0 { query.limit = min(limit, 1000) }
        return query
    }
}
