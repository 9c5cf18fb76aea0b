internal import JSON
internal import MetricModel
internal import MetricStore
internal import PromQL
internal import WebCore

extension PrometheusAPI {
    /// `/api/v1/query_exemplars`: the exemplars of every series that matches a selector of the expression.
    func exemplars(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let start = try call.time("start", default: .distantPast)
        let end = try call.time("end", default: .distantFuture)
        if end < start { throw APIError(.badData, "end timestamp must not be before start timestamp") }
        let selectors = try parsed(call).selectors
        let found: [SeriesExemplars]
        do throws(SelectError) {
            let limits = call.labelConditions
            found = try sources.store.exemplars(
                matching: selectors.map { $0.matchers + limits }, from: start, through: end)
        } catch {
            throw APIError(.execution, error.description)
        }
        writer.array(found) { writer, series in
            writer.object { writer in
                writer.member("seriesLabels", series.labels)
                writer.name("exemplars")
                writer.array(series.exemplars) { $0.exemplar($1) }
            }
        }
        return APIResult()
    }
}

extension JSONWriter {
    fileprivate mutating func exemplar(_ exemplar: Exemplar) {
        object { writer in
            writer.member("labels", exemplar.labels)
            writer.member("value", FloatText.json(exemplar.value))
            writer.name("timestamp")
            writer.raw { SampleText.append(time: exemplar.timestamp?.milliseconds ?? 0, to: &$0) }
        }
    }
}
