internal import JSON
internal import MetricModel
internal import Runtime
internal import WebCore

/// Why an alert cannot be explained.
public struct ExplanationRefusal: Error, Equatable, Sendable {
    /// The error text.
    public var reason: String
    /// Whether there is no such alert.
    public var isUnknown: Bool

    /// A refusal.
    public init(_ reason: String, isUnknown: Bool = false) {
        self.reason = reason
        self.isUnknown = isUnknown
    }
}

extension TribuneAPI {
    /// `/api/v1/explain`
    func explain(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        guard !call["alert"].isEmpty else { throw .invalid("alert", "the name of an alert is needed") }
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        let time = try call.time("time", default: now)
        switch sources.explain(call["alert"], call.all("filter").filter { !$0.isEmpty }, time) {
        case .success(let json):
            writer.write(json)
            return APIResult()
        case .failure(let refusal): throw APIError(refusal.isUnknown ? .notFound : .badData, refusal.reason)
        }
    }
}
