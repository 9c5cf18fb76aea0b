internal import Instrumentation
internal import WebServer

/// The counters of the web server, updated when metrics are read.
enum ServerMetrics {
    static func show(_ server: HTTPServer, in registry: Registry) {
        let open = registry.gauge("tribune_http_connections", "Open connections.")
        let accepted = registry.counter("tribune_http_connections_accepted_total", "Connections accepted.")
        let evicted = registry.counter(
            "tribune_http_connections_evicted_total",
            "Silent connections closed because the connection limit was reached and another client connected.")
        let expired = registry.counter(
            "tribune_http_connections_expired_total", "Connections closed because the client was too slow.")
        let handshakes = registry.counter("tribune_http_tls_handshakes_failed_total", "TLS handshakes that failed.")
        let malformed = registry.counter(
            "tribune_http_requests_malformed_total",
            "Requests refused before a handler saw them: malformed, too large, or without room for their body.")
        let refused = registry.counter(
            "tribune_http_requests_refused_total", "Requests answered with 503 because too many waited for a handler.")
        let dropped = registry.counter(
            "tribune_http_responses_dropped_total",
            "Responses whose connection was closed because those in flight held too many bytes.")
        let requestBytes = registry.gauge("tribune_http_request_body_bytes", "Bytes of request bodies in memory.")
        let responseBytes = registry.gauge(
            "tribune_http_response_bytes", "Bytes of responses that wait for slow clients.")
        registry.onSnapshot { [weak server] in
            guard let statistics = server?.statistics else { return }
            open.set(Double(statistics.openConnections))
            accepted.raise(to: Double(statistics.acceptedConnections))
            evicted.raise(to: Double(statistics.evictedConnections))
            expired.raise(to: Double(statistics.expiredConnections))
            handshakes.raise(to: Double(statistics.failedHandshakes))
            malformed.raise(to: Double(statistics.malformedRequests))
            refused.raise(to: Double(statistics.refusedRequests))
            dropped.raise(to: Double(statistics.droppedResponses))
            requestBytes.set(Double(statistics.requestBytesInFlight))
            responseBytes.set(Double(statistics.responseBytesInFlight))
        }
    }
}
