internal import ConfigurationFields
internal import CurlHTTP
internal import MetricModel

extension QueryServerSettings {
    /// The request for the value of `expression` at `time`, with a timeout of at most `milliseconds`.
    func request(_ expression: String, at time: Timestamp, within milliseconds: Int64) throws(HTTPFailure)
        -> HTTPRequest
    {
        var pairs = [("query", expression), ("time", Self.seconds(time)), ("timeout", "\(milliseconds)ms")]
        // An error is wanted in place of a part: by Thanos, and by a cluster of VictoriaMetrics. `nocache` also stops
        // VictoriaMetrics from moving the time of queries into the past.
        pairs += [("partial_response", "false"), ("deny_partial_response", "1"), ("nocache", "1")]
        for parameter in parameters {
            pairs.removeAll { $0.0 == parameter.name }
            pairs.append((parameter.name, parameter.value))
        }
        let text = FormText.encoded(pairs)
        let parts = url.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var base = String(parts[0])
        while base.hasSuffix("/") { base.removeLast() }
        base += "/api/v1/query"
        let own = parts.count > 1 && !parts[1].isEmpty ? [String(parts[1])] : []
        var request: HTTPRequest
        switch method {
        case .get: request = HTTPRequest(url: "\(base)?\((own + [text]).joined(separator: "&"))")
        case .post:
            request = HTTPRequest(method: "POST", url: ([base] + own).joined(separator: "?"), body: Array(text.utf8))
            request.headers = [("Content-Type", "application/x-www-form-urlencoded")]
        }
        request.headers += [("Accept", "application/json"), ("User-Agent", "Tribune")]
        request.timeoutMilliseconds = milliseconds
        request.maximumBodyBytes = maximumBytes
        try http.apply(to: &request)
        return request
    }

    /// `time` in seconds with milliseconds.
    private static func seconds(_ time: Timestamp) -> String {
        let milliseconds = time.milliseconds
        let rest = "\(milliseconds.magnitude % 1000)"
        let digits = String(repeating: "0", count: 3 - rest.count) + rest
        return "\(milliseconds < 0 ? "-" : "")\(milliseconds.magnitude / 1000).\(digits)"
    }
}
