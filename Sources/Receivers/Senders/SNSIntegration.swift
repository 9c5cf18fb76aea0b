internal import ConfigurationFields
internal import CurlHTTP
internal import MetricModel
internal import YAML

/// Amazon SNS: publishes to a topic, a phone number or an endpoint.
struct SNSIntegration: IntegrationSettings {
    static let kind = "sns"
    private static let longestMessage = 256 * 1024
    private static let longestShortMessage = 1600

    var sendsResolved: Bool
    var http: HTTPSettings
    var url: String
    var credentials: AWSCredentials
    var topic: String
    var phoneNumber: String
    var target: String
    var subject: String
    var message: String
    var attributes: [NamedText]

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(true)
        http = try reader.http()
        url = try reader.text("api_url")
        credentials = AWSCredentials()
        if let node = reader.fields.optional("sigv4") {
            let path = reader.fields.path(of: "sigv4")
            var fields = try FieldReader(node, path: path, file: reader.fields.file)
            credentials = try AWSCredentials(&fields, directory: reader.directory)
            try fields.finish()
        }
        topic = try reader.text("topic_arn")
        phoneNumber = try reader.text("phone_number")
        target = try reader.text("target_arn")
        subject = try reader.text("subject", or: #"{{ template "sns.default.subject" . }}"#)
        message = try reader.text("message", or: #"{{ template "sns.default.message" . }}"#)
        attributes = try reader.texts("attributes")
        _ = try reader.flag("use_aws_http_client")
        if [topic, phoneNumber, target].filter({ !$0.isEmpty }).count != 1 {
            throw reader.fault("must provide either a Target ARN, Topic ARN, or Phone Number for SNS config")
        }
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        var pairs = [("Action", "Publish"), ("Version", "2010-03-31")]
        let topic = try delivery.text(self.topic)
        if !topic.isEmpty { pairs.append(("TopicArn", topic)) }
        // A FIFO topic requires a group id.
        if topic.hasSuffix(".fifo") {
            pairs += [("MessageDeduplicationId", delivery.keyHash), ("MessageGroupId", delivery.keyHash)]
        }
        if !phoneNumber.isEmpty { pairs.append(("PhoneNumber", try delivery.text(phoneNumber))) }
        if !target.isEmpty { pairs.append(("TargetArn", try delivery.text(target))) }
        var values: [(String, String)] = []
        for attribute in attributes {
            values.append((try delivery.text(attribute.name), try delivery.text(attribute.text)))
        }
        let limit = phoneNumber.isEmpty ? Self.longestMessage : Self.longestShortMessage
        var text = try delivery.text(message)
        if text.utf8.count > limit {
            delivery.remark("message was longer than \(limit) bytes and was cut")
            text = Self.prefix(of: text, limit)
            values.append(("truncated", "true"))
        }
        pairs.append(("Message", text))
        let subject = try delivery.text(self.subject)
        if !subject.isEmpty { pairs.append(("Subject", subject)) }
        for (index, value) in values.enumerated() {
            let entry = "MessageAttributes.entry.\(index + 1)"
            pairs += [
                ("\(entry).Name", value.0), ("\(entry).Value.DataType", "String"),
                ("\(entry).Value.StringValue", value.1),
            ]
        }
        try publish(pairs, delivery)
    }

    /// At most `limit` bytes, without splitting a character.
    private static func prefix(of text: String, _ limit: Int) -> String {
        var end = text.utf8.index(text.utf8.startIndex, offsetBy: limit)
        while end > text.utf8.startIndex, String.Index(end, within: text) == nil { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }

    private func publish(_ pairs: [(String, String)], _ delivery: Delivery) throws(DeliveryFailure) {
        guard let region = credentials.effectiveRegion else {
            throw DeliveryFailure("region not configured in sns.sigv4.region or in the environment", isRetryable: false)
        }
        let keys: AWSCredentials.Keys
        do throws(HTTPFailure) {
            keys = try credentials.keys(region) { request throws(HTTPFailure) in
                do throws(DeliveryFailure) { return try delivery.send(request, http) } catch {
                    throw HTTPFailure(.other, error.reason)
                }
            }
        } catch {
            throw DeliveryFailure(error.message, isRetryable: error.code != .badRequest)
        }
        var address = try delivery.text(url)
        if address.isEmpty { address = "https://sns.\(region).amazonaws.com" }
        if !address.hasSuffix("/") { address += "/" }
        var request = HTTPRequest(
            method: "POST", url: address,
            headers: [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")],
            body: Array(FormText.encoded(pairs).utf8), timeoutMilliseconds: Delivery.timeoutMilliseconds)
        AWSSignature(keys: keys, region: region, service: "sns").sign(&request)
        try Delivery.check(try delivery.send(request, http))
    }
}
