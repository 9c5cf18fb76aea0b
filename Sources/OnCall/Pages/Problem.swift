public import JSON
public import MetricModel

/// A problem at its source, as a page shows it. A value.
public struct Problem: Equatable, Sendable {
    /// Identifies the problem among all sources; begins with the name of its source.
    public var key: String
    /// One line for a person.
    public var title: String
    /// A word such as `critical`; empty if the source has none.
    public var severity: String
    /// The receiver or the integration that it comes from.
    public var source: String
    /// Labels of the alerts, or fields of an event.
    public var labels: Labels
    /// More texts for a person.
    public var annotations: Labels
    /// A page about the problem; empty for none.
    public var url: String
    /// The policy to follow.
    public var policy: String

    /// The most bytes of a title.
    public static let titleLimit = 1024
    /// The most bytes of a label's or an annotation's value; more is cut off.
    static let valueLimit = 4096
    /// The most labels, and the most annotations; more are left out.
    static let pairLimit = 64

    /// A problem. Texts beyond the limits are cut off.
    public init(
        key: String, title: String, severity: String = "", source: String, labels: Labels = .empty,
        annotations: Labels = .empty, url: String = "", policy: String
    ) {
        self.key = key
        self.title = Self.cut(title.isEmpty ? key : title, to: Self.titleLimit)
        self.severity = Self.cut(severity, to: 64)
        self.source = source
        self.labels = Self.limited(labels)
        self.annotations = Self.limited(annotations)
        self.url = Self.cut(url, to: Self.valueLimit)
        self.policy = policy
    }

    private static func limited(_ labels: Labels) -> Labels {
        Labels(labels.pairs.prefix(pairLimit).map { Label($0.name, cut($0.value, to: valueLimit)) })
    }

    /// `text`, of at most `limit` bytes of UTF-8.
    static func cut(_ text: String, to limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        var kept = ""
        var count = 0
        for character in text {
            count += character.utf8.count
            if count > limit - 3 { break }
            kept.append(character)
        }
        return kept + "…"
    }

    /// Whether it is about on-call itself, so that it must not raise alarms of its own without end.
    var isAlarm: Bool { labels["alertname"].map { $0 == PageAlarm.alertName } ?? false }

    // MARK: Storage

    var stored: JSON {
        [
            "key": .string(key), "title": .string(title), "severity": .string(severity), "source": .string(source),
            "labels": labels.stored, "annotations": annotations.stored, "url": .string(url), "policy": .string(policy),
        ]
    }

    init?(stored json: JSON) {
        guard let key = json["key"]?.text, let title = json["title"]?.text, let severity = json["severity"]?.text,
            let source = json["source"]?.text, let labels = json["labels"].flatMap(Labels.init(stored:)),
            let annotations = json["annotations"].flatMap(Labels.init(stored:)), let url = json["url"]?.text,
            let policy = json["policy"]?.text
        else { return nil }
        self.init(
            key: key, title: title, severity: severity, source: source, labels: labels, annotations: annotations,
            url: url, policy: policy)
    }
}

extension Labels {
    /// As a JSON object of texts.
    public var stored: JSON { .object(pairs.map { JSON.Member($0.name, .string($0.value)) }) }

    init?(stored json: JSON) {
        guard let members = json.members else { return nil }
        self.init(members.compactMap { member in member.value.text.map { Label(member.name, $0) } })
    }
}
