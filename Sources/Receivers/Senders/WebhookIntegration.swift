internal import ConfigurationFields
internal import CurlHTTP
internal import JSON
internal import MetricModel
internal import YAML

/// Alertmanager's webhook, version 4.
struct WebhookIntegration: IntegrationSettings {
    static let kind = "webhook"

    var sendsResolved: Bool
    var http: HTTPSettings
    var url: HTTPSettings.Secret
    var maximumAlerts: Int
    var timeout: Milliseconds
    /// A custom body, with templates as texts.
    var payload: TemplatedJSON?

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(true)
        http = try reader.http()
        guard let url = try reader.secretURL("url") else {
            throw reader.fault("one of url or url_file must be configured")
        }
        self.url = url
        maximumAlerts = try reader.fields.optionalLimit("max_alerts") ?? 0
        timeout = try reader.timeout() ?? .zero
        payload = reader.fields.optional("payload").map { TemplatedJSON($0) }
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        let url = try delivery.text(try delivery.read(url, "url"))
        try delivery.post(try body(delivery), to: url, http, timeout: timeout.rawValue)
    }

    private func body(_ delivery: Delivery) throws(DeliveryFailure) -> JSON {
        if let payload {
            return try payload.expanded { template throws(DeliveryFailure) in try delivery.text(template) }
        }
        let message = delivery.message
        let data = MessageJSON.data(message, externalURL: delivery.externalURL, limit: maximumAlerts)
        let left = maximumAlerts > 0 ? max(0, message.alerts.count - maximumAlerts) : 0
        return .object(
            (data.members ?? []) + [
                .init("version", "4"), .init("groupKey", .string(message.groupKey)),
                .init("truncatedAlerts", .integer(Int64(left))),
            ])
    }
}

/// Sends the webhook's data to incident.io.
struct IncidentIOIntegration: IntegrationSettings {
    static let kind = "incidentio"
    /// The maximum body size of incident.io, in bytes.
    private static let longestBody = 512 * 1024

    var sendsResolved: Bool
    var http: HTTPSettings
    var url: HTTPSettings.Secret
    var token: HTTPSettings.Secret?
    var maximumAlerts: Int
    var timeout: Milliseconds

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(true)
        http = try reader.http()
        guard let url = try reader.secretURL("url") else {
            throw reader.fault("one of url or url_file must be configured")
        }
        self.url = url
        token = try reader.secret("alert_source_token")
        var authorizes = false
        if case .credentials = http.authentication { authorizes = true }
        if authorizes, token != nil {
            throw reader.fault(
                "cannot specify alert_source_token or alert_source_token_file when using http_config.authorization")
        }
        if !authorizes, token == nil {
            throw reader.fault(
                "at least one of alert_source_token, alert_source_token_file or http_config.authorization must be configured"
            )
        }
        maximumAlerts = try reader.fields.optionalLimit("max_alerts") ?? 0
        timeout = try reader.timeout() ?? .zero
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        var json = body(delivery, limit: maximumAlerts)
        if json.jsonBytes.count > Self.longestBody {
            json = body(delivery, limit: 1)
            delivery.remark("only the first alert was sent: the message was longer than \(Self.longestBody) bytes")
        }
        var headers: [(name: String, value: String)] = []
        if let token { headers.append(("Authorization", "Bearer " + (try delivery.read(token, "alert_source_token")))) }
        try delivery.post(
            json, to: try delivery.read(url, "url"), http, headers: headers, timeout: timeout.rawValue)
    }

    private func body(_ delivery: Delivery, limit: Int) -> JSON {
        let message = delivery.message
        let data = MessageJSON.data(message, externalURL: delivery.externalURL, limit: limit)
        let left = limit > 0 ? max(0, message.alerts.count - limit) : 0
        return .object(
            (data.members ?? []) + [
                .init("version", "1"), .init("groupKey", .string(message.groupKey)),
                .init("truncatedAlerts", .integer(Int64(left))),
            ])
    }
}
