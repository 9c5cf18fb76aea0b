public import JSON
public import MetricModel
internal import Runtime

extension Message {
    /// A message that states that it is a test.
    public static func test(receiver: String, at now: Timestamp) -> Message {
        Message(
            groupKey: #"{}:{alertname="TribuneTest"}"#, groupLabels: ["alertname": "TribuneTest"], receiver: receiver,
            alerts: [
                MessageAlert(
                    labels: ["alertname": "TribuneTest", "instance": "tribune", "severity": "info"],
                    annotations: [
                        "description": "This message was sent manually to test the receiver. No action is needed.",
                        "summary": "Test message of Tribune",
                    ], startsAt: now, endsAt: now + .minutes(5), isResolved: false, generatorURL: "")
            ])
    }

    /// Reads a message in the webhook's format, a list of alerts, or one alert.
    public init(_ json: JSON, at now: Timestamp) throws(JSONFieldError) {
        if let alerts = json["alerts"]?.elements ?? json.elements {
            var read: [MessageAlert] = []
            for (index, alert) in alerts.enumerated() {
                read.append(try MessageAlert(alert, path: "alerts[\(index)]", at: now))
            }
            guard !read.isEmpty else { throw JSONFieldError(field: "alerts", message: "expected at least one alert") }
            self.init(
                groupKey: json["groupKey"]?.text ?? "{}:{}",
                groupLabels: try Labels(json["groupLabels"], "groupLabels"),
                receiver: json["receiver"]?.text ?? "test", alerts: read)
        } else {
            let alert = try MessageAlert(json, path: "", at: now)
            self.init(
                groupKey: "{}:{}", groupLabels: alert.labels.keeping(["alertname"]), receiver: "test", alerts: [alert])
        }
    }
}

extension MessageAlert {
    fileprivate init(_ json: JSON, path: String, at now: Timestamp) throws(JSONFieldError) {
        let prefix = path.isEmpty ? "" : "\(path)."
        guard json["labels"]?.members != nil else {
            throw JSONFieldError(field: "\(prefix)labels", message: "expected an object")
        }
        func time(_ name: String) throws(JSONFieldError) -> Timestamp? {
            guard let text = json[name]?.text, !text.hasPrefix("0001-") else { return nil }
            guard let milliseconds = RFC3339.milliseconds(parsing: text) else {
                throw JSONFieldError(field: prefix + name, message: "not a time: \"\(text)\"")
            }
            return Timestamp(milliseconds: milliseconds)
        }
        let endsAt = try time("endsAt")
        self.init(
            labels: try Labels(json["labels"], "\(prefix)labels"),
            annotations: try Labels(json["annotations"], "\(prefix)annotations"), startsAt: try time("startsAt") ?? now,
            endsAt: endsAt ?? now, isResolved: json["status"]?.text.map { $0 == "resolved" } ?? false,
            generatorURL: json["generatorURL"]?.text ?? "")
    }
}

extension Labels {
    fileprivate init(_ json: JSON?, _ path: String) throws(JSONFieldError) {
        var labels: [Label] = []
        for member in json?.members ?? [] {
            guard let text = member.value.text else {
                throw JSONFieldError(field: "\(path).\(member.name)", message: "expected text")
            }
            labels.append(Label(member.name, text))
        }
        self.init(labels)
    }
}
