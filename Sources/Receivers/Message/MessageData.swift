public import GoTemplate
internal import MetricModel

/// The data of a message in templates: Alertmanager's `Data`. A value.
public struct MessageData: TemplateObject {
    let message: Message
    let externalURL: String

    /// The data of `message`.
    public init(_ message: Message, externalURL: String) {
        self.message = message
        self.externalURL = externalURL
    }

    /// The type's name in Go.
    public var typeName: String { "*template.Data" }
    /// As JSON.
    public var text: String { json }
    /// In the format of Alertmanager's webhook.
    public var json: String { MessageJSON.data(message, externalURL: externalURL, limit: 0).json }

    /// Its fields.
    ///
    /// Computed when a template reads them: many messages are sent without one.
    public func member(_ name: String, _ arguments: [TemplateValue]) -> TemplateValue? {
        switch name {
        case "Receiver": .string(message.quotedReceiver)
        case "Status": .string(message.status)
        case "Alerts": .object(AlertList(message.alerts))
        case "GroupLabels": .object(LabelMap(message.groupLabels))
        case "CommonLabels": .object(LabelMap(message.commonLabels))
        case "CommonAnnotations": .object(LabelMap(message.commonAnnotations))
        case "RouteLabels": .object(LabelMap(message.routeLabels))
        case "ExternalURL": .string(externalURL)
        case "NotificationReason": .string(message.reason.rawValue)
        case "GroupKey": .string(message.groupKey)
        default: nil
        }
    }
}

/// Labels or annotations in a template: Alertmanager's `KV`.
struct LabelMap: TemplateObject {
    let labels: [(name: String, value: String)]

    init(_ labels: Labels) { self.labels = labels.pairs.map { ($0.name, $0.value) } }

    private init(_ labels: [(name: String, value: String)]) { self.labels = labels }

    var typeName: String { "template.KV" }
    var text: String { LabelPairs(sorted).text }
    var collection: TemplateValue? { .texts(labels.map { ($0.name, $0.value) }) }

    /// Sorted by name, with the alert name first.
    private var sorted: [(name: String, value: String)] {
        labels.sorted { left, right in
            if left.name == "alertname" || right.name == "alertname" {
                return left.name == "alertname" && right.name != "alertname"
            }
            return ByteOrder.precedes(left.name, right.name)
        }
    }

    func member(_ name: String, _ arguments: [TemplateValue]) throws(TemplateFailure) -> TemplateValue? {
        switch name {
        case "SortedPairs": return .object(LabelPairs(sorted))
        case "Names": return .list(sorted.map { .string($0.name) })
        case "Values": return .list(sorted.map { .string($0.value) })
        case "String": return .string(text)
        case "Remove":
            guard arguments.count == 1 else {
                throw TemplateFailure("wrong number of args for Remove: want 1 got \(arguments.count)")
            }
            let names = try arguments[0].asTexts()
            return .object(LabelMap(labels.filter { !names.contains($0.name) }))
        default: return nil
        }
    }
}

/// Names with values, in order: Alertmanager's `Pairs`.
struct LabelPairs: TemplateObject {
    let pairs: [(name: String, value: String)]

    init(_ pairs: [(name: String, value: String)]) { self.pairs = pairs }

    var typeName: String { "template.Pairs" }
    var text: String { pairs.map { "\($0.name)=\($0.value)" }.joined(separator: ", ") }
    var collection: TemplateValue? { .list(pairs.map { .object(LabelPair(name: $0.name, value: $0.value)) }) }

    func member(_ name: String, _ arguments: [TemplateValue]) -> TemplateValue? {
        switch name {
        case "Names": .list(pairs.map { .string($0.name) })
        case "Values": .list(pairs.map { .string($0.value) })
        case "String": .string(text)
        default: nil
        }
    }
}

/// A name with its value.
struct LabelPair: TemplateObject {
    let name: String
    let value: String

    var typeName: String { "template.Pair" }
    var text: String { "{\(name) \(value)}" }
    var json: String {
        "{\"Name\":\(TemplateValue.string(name).json),\"Value\":\(TemplateValue.string(value).json)}"
    }

    func member(_ name: String, _ arguments: [TemplateValue]) -> TemplateValue? {
        switch name {
        case "Name": .string(self.name)
        case "Value": .string(value)
        default: nil
        }
    }
}

/// The alerts of a message: Alertmanager's `Alerts`.
struct AlertList: TemplateObject {
    let alerts: [MessageAlert]

    init(_ alerts: [MessageAlert]) { self.alerts = alerts }

    var typeName: String { "template.Alerts" }
    var text: String { collection?.text ?? "" }
    var collection: TemplateValue? { .list(alerts.map { .object(AlertData($0)) }) }

    func member(_ name: String, _ arguments: [TemplateValue]) -> TemplateValue? {
        switch name {
        case "Firing": .list(alerts.filter { !$0.isResolved }.map { .object(AlertData($0)) })
        case "Resolved": .list(alerts.filter(\.isResolved).map { .object(AlertData($0)) })
        default: nil
        }
    }
}

/// One alert: Alertmanager's `Alert`.
struct AlertData: TemplateObject {
    let alert: MessageAlert

    init(_ alert: MessageAlert) { self.alert = alert }

    var typeName: String { "template.Alert" }
    var text: String {
        let times = [startsAt, endsAt].map(\.text).joined(separator: " ")
        return "{\(alert.status) \(LabelMap(alert.labels).text) \(LabelMap(alert.annotations).text) \(times) "
            + "\(alert.generatorURL) \(alert.labels.fingerprint)}"
    }
    var json: String { MessageJSON.alert(alert).json }
    private var startsAt: TemplateTime { TemplateTime(alert.startsAt) }
    private var endsAt: TemplateTime { alert.isResolved ? TemplateTime(alert.endsAt) : .zero }

    func member(_ name: String, _ arguments: [TemplateValue]) -> TemplateValue? {
        switch name {
        case "Status": .string(alert.status)
        case "Labels": .object(LabelMap(alert.labels))
        case "Annotations": .object(LabelMap(alert.annotations))
        case "StartsAt": .object(startsAt)
        case "EndsAt": .object(endsAt)
        case "GeneratorURL": .string(alert.generatorURL)
        case "Fingerprint": .string(alert.labels.fingerprint)
        default: nil
        }
    }
}
