internal import CurlHTTP
internal import JSON

/// Turns a notification into the request an integration wants, and its answer into a verdict.
enum IntegrationRequest {
    /// What became of a request.
    enum Verdict: Equatable {
        case delivered
        /// Worth another try later.
        case retry(String)
        /// The receiver will not take it.
        case refused(String)
    }

    /// Longest time a receiver may take.
    private static let timeoutMilliseconds: Int64 = 10_000

    static func request(
        _ notification: Notification, to integration: Integration, externalURL: String
    ) -> HTTPRequest {
        let body: JSON
        var request: HTTPRequest
        switch integration {
        case .webhook(let webhook):
            request = HTTPRequest(url: webhook.url)
            request.headers += webhook.headers.map { ($0.name, $0.value.value) }
            body = WebhookPayload.body(notification, maximumAlerts: webhook.maximumAlerts, externalURL: externalURL)
        case .pagerDuty(let pagerDuty):
            request = HTTPRequest(url: pagerDuty.url)
            body = PagerDutyPayload.body(notification, settings: pagerDuty, externalURL: externalURL)
        }
        request.method = "POST"
        request.headers += [("Content-Type", "application/json"), ("User-Agent", "Tribune")]
        request.body = Array(body.encoded.utf8)
        request.timeoutMilliseconds = timeoutMilliseconds
        request.maximumBodyBytes = 64 << 10
        return request
    }

    /// 2xx is delivered; 408, 429, 5xx and anything that went wrong on the way is worth another try.
    static func verdict(_ result: Result<HTTPResponse, HTTPFailure>) -> Verdict {
        switch result {
        case .success(let response) where (200..<300).contains(response.status): .delivered
        case .success(let response) where response.status == 408 || response.status == 429 || response.status >= 500:
            .retry("status \(response.status)")
        case .success(let response):
            .refused(
                "status \(response.status): \(String(decoding: response.body.prefix(200), as: UTF8.self))")
        case .failure(let failure) where failure.code == .badURL: .refused(failure.message)
        case .failure(let failure): .retry(failure.message)
        }
    }
}
