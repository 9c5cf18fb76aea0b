internal import Glibc
public import MetricModel
internal import RE2

/// One element of a query's result in a template.
public struct TemplateSample: TemplateObject, Equatable {
    /// Its labels, including the metric name.
    public var labels: Labels
    /// Its value.
    public var value: Double

    /// An element.
    public init(labels: Labels, value: Double) {
        self.labels = labels
        self.value = value
    }

    /// The type's name in Go.
    public var typeName: String { "*template.sample" }

    /// The text that Go prints for it.
    public var text: String { "{\(TemplateValue(labels).text) \(FloatText.general(value))}" }

    /// Its fields and methods.
    public func member(_ name: String, _ arguments: [TemplateValue]) throws(TemplateFailure) -> TemplateValue? {
        switch name {
        case "Labels": TemplateValue(labels)
        case "Value": .float(value)
        default: nil
        }
    }
}

extension TemplateValue {
    /// A map of `labels`.
    public init(_ labels: Labels) {
        self = .texts(labels.pairs.map { ($0.name, $0.value) })
    }
}

/// The functions that Prometheus offers to the templates in rule files.
public struct PrometheusFunctions: Sendable {
    /// The time at which the template is expanded.
    public var time: Timestamp
    /// The external URL of the server.
    public var externalURL: String
    /// Runs an instant query at `time`.
    public var query: @Sendable (String) throws(TemplateFailure) -> [TemplateSample]

    /// Functions that run queries with `query`.
    public init(
        time: Timestamp, externalURL: String,
        query: @escaping @Sendable (String) throws(TemplateFailure) -> [TemplateSample]
    ) {
        self.time = time
        self.externalURL = externalURL
        self.query = query
    }

    /// The names of all functions.
    public static let names = Set(
        PrometheusFunctions(
            time: Timestamp(milliseconds: 0), externalURL: "", query: { _ throws(TemplateFailure) in [] }
        ).table.keys)

    /// The functions by name.
    public var table: [String: TemplateFunction] {
        Self.pure.merging(contextual) { first, _ in first }
    }

    /// Functions that Alertmanager has too.
    static let shared = pure.filter {
        ["toUpper", "toLower", "match", "reReplaceAll", "humanizeDuration"].contains($0.key)
    }

    private var contextual: [String: TemplateFunction] {
        let (time, externalURL, query) = (time, externalURL, query)
        return [
            "query": TemplateFunction(1) { arguments throws(TemplateFailure) in
                .list(try query(try arguments[0].asText()).map { .object($0) })
            },
            "now": TemplateFunction(0) { _ throws(TemplateFailure) in .float(time.seconds) },
            "externalURL": TemplateFunction(0) { _ throws(TemplateFailure) in .string(externalURL) },
            "pathPrefix": TemplateFunction(0) { _ throws(TemplateFailure) in .string(Self.path(of: externalURL)) },
        ]
    }

    private static let pure: [String: TemplateFunction] = results.merging(texts) { first, _ in first }
        .merging(numbers) { first, _ in first }

    // MARK: Results of queries

    private static let results: [String: TemplateFunction] = [
        "first": TemplateFunction(1) { arguments throws(TemplateFailure) in
            guard let first = try list(arguments[0]).first else {
                throw TemplateFailure("first() called on vector with no elements")
            }
            return first
        },
        "label": TemplateFunction(2) { arguments throws(TemplateFailure) in
            .string(try sample(arguments[1]).labels[try arguments[0].asText()] ?? "")
        },
        "value": TemplateFunction(1) { arguments throws(TemplateFailure) in .float(try sample(arguments[0]).value) },
        "strvalue": TemplateFunction(1) { arguments throws(TemplateFailure) in
            .string(try sample(arguments[0]).labels["__value__"] ?? "")
        },
        "sortByLabel": TemplateFunction(2) { arguments throws(TemplateFailure) in
            let name = try arguments[0].asText()
            var keyed: [(key: String, sample: TemplateSample)] = []
            for element in try list(arguments[1]) {
                let sample = try sample(element)
                keyed.append((sample.labels[name] ?? "", sample))
            }
            keyed.sort { ByteOrder.precedes($0.key, $1.key) }
            return .list(keyed.map { .object($0.sample) })
        },
        "args": TemplateFunction(0...Int.max) { arguments throws(TemplateFailure) in
            .map(
                Dictionary(uniqueKeysWithValues: arguments.enumerated().map { ("arg\($0.offset)", $0.element) }),
                zero: .absent)
        },
    ]

    private static func list(_ value: TemplateValue) throws(TemplateFailure) -> [TemplateValue] {
        guard case .list(let elements) = value else {
            throw TemplateFailure("wrong type for value; expected template.queryResult; got \(value.typeName)")
        }
        return elements
    }

    private static func sample(_ value: TemplateValue) throws(TemplateFailure) -> TemplateSample {
        guard case .object(let object) = value, let sample = object as? TemplateSample else {
            throw TemplateFailure("wrong type for value; expected *template.sample; got \(value.typeName)")
        }
        return sample
    }

    // MARK: Texts

    private static let texts: [String: TemplateFunction] = [
        "title": onText(titled),
        "toUpper": onText { mapped($0) { $0.properties.uppercaseMapping } },
        "toLower": onText { mapped($0) { $0.properties.lowercaseMapping } },
        "safeHtml": onText { $0 },
        "urlQueryEscape": onText(QueryEscape.escaped),
        "graphLink": onText { "/graph?g0.expr=\(QueryEscape.escaped($0))&g0.tab=0" },
        "tableLink": onText { "/graph?g0.expr=\(QueryEscape.escaped($0))&g0.tab=1" },
        "stripPort": onText { splitHostPort($0)?.host ?? $0 },
        "stripDomain": onText(withoutDomain),
        "match": TemplateFunction(2) { arguments throws(TemplateFailure) in
            let expression = try pattern(arguments[0])
            return .bool(expression.matchesAnywhere(try arguments[1].asText()))
        },
        "reReplaceAll": TemplateFunction(3) { arguments throws(TemplateFailure) in
            let expression = try pattern(arguments[0])
            return .string(
                expression.replaceAll(in: try arguments[2].asText(), template: try arguments[1].asText()))
        },
    ]

    private static func onText(_ transform: @escaping @Sendable (String) -> String) -> TemplateFunction {
        TemplateFunction(1) { arguments throws(TemplateFailure) in .string(transform(try arguments[0].asText())) }
    }

    private static func pattern(_ value: TemplateValue) throws(TemplateFailure) -> RegularExpression {
        let text = try value.asText()
        do throws(RegularExpression.PatternError) {
            return try RegularExpression(text)
        } catch {
            throw TemplateFailure("error parsing regexp: \(error.reason)")
        }
    }

    /// The first letter of each word in upper case.
    private static func titled(_ text: String) -> String {
        var beginsWord = true
        return mapped(text) { scalar in
            let result = beginsWord ? scalar.properties.titlecaseMapping : String(scalar)
            beginsWord =
                scalar.isASCII
                ? !(scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "_")
                : scalar.properties.isWhitespace
            return result
        }
    }

    /// Maps each character separately. As in Go, a mapping to several characters leaves it unchanged.
    private static func mapped(_ text: String, _ map: (Unicode.Scalar) -> String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            let image = map(scalar)
            if image.unicodeScalars.count == 1 { result += image } else { result.unicodeScalars.append(scalar) }
        }
    }

    /// Splits `host:port`; `nil` if it is not of that form.
    private static func splitHostPort(_ text: String) -> (host: String, port: String)? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("[") {
            guard host.hasSuffix("]") else { return nil }
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        if host.contains("[") || host.contains("]") { return nil }
        return (String(host), String(text[text.index(after: colon)...]))
    }

    private static func withoutDomain(_ text: String) -> String {
        let (host, port) = splitHostPort(text) ?? (text, "")
        if isAddress(host) { return text }
        let short = host.prefix { $0 != "." }
        return port.isEmpty ? String(short) : "\(short):\(port)"
    }

    private static func isAddress(_ host: String) -> Bool {
        var address = in6_addr()
        return unsafe inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1
    }

    /// The path of a URL, without query and fragment.
    private static func path(of url: String) -> String {
        let bytes = Array(url.utf8)
        var rest = bytes[...]
        if let scheme = bytes.firstRange(of: Array("://".utf8)) { rest = bytes[scheme.upperBound...] }
        let path = rest.drop { $0 != UInt8(ascii: "/") }
        return String(
            decoding: path.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }, as: UTF8.self)
    }

    // MARK: Numbers and times

    private static let numbers: [String: TemplateFunction] = [
        "humanize": onNumber { .string(Humanize.decimal($0)) },
        "humanize1024": onNumber { .string(Humanize.binary($0)) },
        "humanizeDuration": onNumber { .string(Humanize.duration($0)) },
        "humanizePercentage": onNumber { .string(Humanize.percentage($0)) },
        "humanizeTimestamp": TemplateFunction(1) { arguments throws(TemplateFailure) in
            let value = try arguments[0].asNumber()
            if !value.isFinite { return .string(Humanize.decimal(value)) }
            return .string(try moment(value).text)
        },
        "toTime": TemplateFunction(1) { arguments throws(TemplateFailure) in
            .object(try moment(try arguments[0].asNumber()))
        },
        "toDuration": onNumber { .object(TemplateDuration(seconds: $0)) },
        "parseDuration": TemplateFunction(1) { arguments throws(TemplateFailure) in
            let text = try arguments[0].asText()
            do throws(DurationFault) { return .float(try Milliseconds(reading: text).seconds) } catch {
                throw TemplateFailure(error.description)
            }
        },
    ]

    private static func onNumber(_ transform: @escaping @Sendable (Double) -> TemplateValue) -> TemplateFunction {
        TemplateFunction(1) { arguments throws(TemplateFailure) in transform(try arguments[0].asNumber()) }
    }

    /// The time `seconds` after the epoch. Converted through whole nanoseconds like Prometheus, for the same fraction.
    private static func moment(_ seconds: Double) throws(TemplateFailure) -> TemplateTime {
        let nanoseconds = seconds * 1e9
        guard nanoseconds.magnitude < 0x1p63 else {
            throw TemplateFailure(
                "\(FloatText.general(seconds)) cannot be represented as a nanoseconds timestamp since it overflows int64"
            )
        }
        let whole = Int64(nanoseconds)
        return TemplateTime(Timestamp(milliseconds: whole / 1_000_000))
    }
}
