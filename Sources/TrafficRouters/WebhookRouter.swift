internal import CurlHTTP
internal import JSON
internal import MetricModel
internal import Rollback

/// A web service that splits traffic. Operations are posted with an `Idempotency-Key`; the split is read with GET.
struct WebhookRouter: TrafficRouter {
    let route: WebhookRoute
    let timeout: Milliseconds
    let client: HTTPClient
    var fence = Fence.none

    func read() throws(RouterError) -> Inspection {
        try RouterMessage.inspection(send("GET", route.read, headers: [], body: []))
    }

    func shift(to split: TrafficSplit, for operation: RouterOperation) throws(RouterError) {
        try post("shift", split, operation)
    }

    func isolate(for operation: RouterOperation) throws(RouterError) {
        try post("isolate", nil, operation)
    }

    private func post(_ name: String, _ split: TrafficSplit?, _ operation: RouterOperation) throws(RouterError) {
        let body = RouterMessage.request(name, split, admitsTesters: route.admitsTesters, operation).encoded
        try fence.check(operation)
        _ = try send(
            "POST", route.url,
            headers: [
                ("Content-Type", "application/json"), ("Idempotency-Key", "\(operation.key)/\(name)"),
                ("Tribune-Epoch", String(operation.epoch)),
            ], body: Array(body.utf8))
    }

    private func send(
        _ method: String, _ url: String, headers: [(name: String, value: String)], body: [UInt8]
    ) throws(RouterError) -> [UInt8] {
        var request = HTTPRequest(url: url)
        request.method = method
        request.headers = route.headers.map { ($0.name, $0.value) } + headers
        request.body = body
        request.timeoutMilliseconds = timeout.rawValue
        request.maximumBodyBytes = 1 << 20
        let response: HTTPResponse
        do throws(HTTPFailure) { response = try client.send(request) } catch { throw RouterError(error.message) }
        guard (200..<300).contains(response.status) else {
            let text = String(decoding: response.body.prefix(200), as: UTF8.self)
            throw RouterError("\(method) \(url) answered \(response.status): \(text)")
        }
        return response.body
    }
}
