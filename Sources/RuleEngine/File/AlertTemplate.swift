public import GoTemplate
public import MetricModel

/// The labels and annotations of an alerting rule, as templates.
///
/// In a template, `$labels`, `$externalLabels`, `$externalURL` and `$value` are the fields of the element.
public struct AlertTemplate: Equatable, Sendable {
    /// The data of a template: one element of the result.
    public struct Element: TemplateObject, Equatable {
        /// Labels of the element, including the metric name.
        public var labels: Labels
        /// The server's external labels.
        public var externalLabels: Labels
        /// The external URL of the server.
        public var externalURL: String
        /// The value, or the text of a native histogram.
        public var value: Value

        /// A number, or a histogram as text.
        public enum Value: Equatable, Sendable {
            case number(Double)
            case histogram(String)
        }

        /// An element.
        public init(labels: Labels, externalLabels: Labels, externalURL: String, value: Value) {
            self.labels = labels
            self.externalLabels = externalLabels
            self.externalURL = externalURL
            self.value = value
        }

        /// The type's name in Go.
        public var typeName: String {
            "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }"
        }

        /// The text that Go prints for it.
        public var text: String {
            "{\(TemplateValue(labels).text) \(TemplateValue(externalLabels).text) \(externalURL) \(templateValue.text)}"
        }

        /// Its fields and methods.
        public func member(_ name: String, _ arguments: [TemplateValue]) -> TemplateValue? {
            switch name {
            case "Labels": TemplateValue(labels)
            case "ExternalLabels": TemplateValue(externalLabels)
            case "ExternalURL": .string(externalURL)
            case "Value": templateValue
            default: nil
            }
        }

        private var templateValue: TemplateValue {
            switch value {
            case .number(let number): .float(number)
            case .histogram(let text): .string(text)
            }
        }
    }

    private static let prologue = """
        {{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}
        """

    /// The text as written in the file.
    public let source: String
    private let alert: String
    /// `nil` if the text has no actions and needs no expansion.
    private let template: Template?

    /// Checks `source`, a text of the rule for the alert `alert`.
    public init(_ source: String, alert: String) throws(TemplateError) {
        self.source = source
        self.alert = alert
        template =
            source.contains("{{")
            ? try Template(Self.prologue + source, name: "__alert_\(alert)", functions: PrometheusFunctions.names) : nil
    }

    /// The text for `element`. A template that fails gives `<error expanding template: …>`.
    public func expand(for element: Element, functions: PrometheusFunctions) -> String {
        guard let template else { return source }
        do throws(TemplateError) {
            return try template.expand(.object(element), functions: functions.table)
        } catch {
            return "<error expanding template: error executing template \(template.name): \(error)>"
        }
    }

    /// Compares the texts as written in the file.
    public static func == (left: AlertTemplate, right: AlertTemplate) -> Bool {
        ByteOrder.equal(left.source, right.source) && ByteOrder.equal(left.alert, right.alert)
    }
}
