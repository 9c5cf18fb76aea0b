internal import JSON
internal import PromQL
internal import WebCore

extension PrometheusAPI {
    /// `/api/v1/features`: the features of this server, by category.
    func features(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let categories: [(String, [String: Bool])] = [
            (
                "api",
                [
                    "exclude_alerts": true, "label_values_match": true, "lifecycle": settings.enablesLifecycle,
                    "query_stats": true, "query_warnings": true, "remote_write_receiver": settings.enablesRemoteWrite,
                ]
            ),
            (
                "promql",
                [
                    "anchored": true, "at_modifier": true, "bool": true, "by": true, "group_left": true,
                    "group_right": true, "ignoring": true, "negative_offset": true, "offset": true, "on": true,
                    "smoothed": true, "subqueries": true, "without": true,
                    "delayed_name_removal": sources.engine.delayedNameRemoval,
                ]
            ),
            (
                "promql_functions",
                Dictionary(Function.all.map { ($0.name, true) }, uniquingKeysWith: { first, _ in first })
            ),
            (
                "promql_operators",
                Dictionary(
                    Aggregate.Operator.allCases.map { ($0.rawValue, true) }
                        + BinaryOperator.allCases.map { ($0.rawValue, true) }, uniquingKeysWith: { first, _ in first })
            ),
            ("rules", ["keep_firing_for": true, "query_offset": true]),
            ("service_discovery_providers", ["static": true, "file": true]),
        ]
        writer.object { writer in
            for (category, features) in categories {
                writer.name(category)
                writer.object { writer in
                    for (name, isThere) in features.sorted(by: { $0.key < $1.key }) { writer.member(name, isThere) }
                }
            }
        }
        return APIResult()
    }
}
