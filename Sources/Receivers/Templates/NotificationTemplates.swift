public import GoTemplate
internal import MetricModel
internal import Runtime
internal import Synchronization

/// The default templates, the templates of files, and a cache of parsed texts. May be shared between threads.
public final class NotificationTemplates: Sendable {
    /// A file with templates.
    public struct File: Equatable, Sendable {
        /// The name in error messages.
        public var name: String
        /// The content.
        public var text: String

        /// A file.
        public init(name: String, text: String) {
            self.name = name
            self.text = text
        }
    }

    /// Only the default templates.
    public static let defaults = NotificationTemplates(set: defaultSet)

    private static let cacheCapacity = 1000
    private static let limits = Template.Limits(bytes: 8 << 20, steps: 5_000_000, depth: 200)
    private let set: TemplateSet
    private let parsed = Mutex<[String: Template]>([:])

    private static let defaultSet: TemplateSet = {
        var set = TemplateSet(functions: AlertmanagerFunctions.names)
        do throws(TemplateError) {
            try set.add(DefaultTemplates.text, name: "default.tmpl")
        } catch {
            preconditionFailure("the default templates: \(error)")
        }
        return set
    }()

    private init(set: TemplateSet) {
        self.set = set
    }

    /// The default templates and those of `files`. Later definitions replace earlier ones.
    public convenience init(_ files: [File]) throws(TemplateError) {
        var set = Self.defaultSet
        for file in files { try set.add(file.text, name: file.name) }
        self.init(set: set)
    }

    /// The names of the templates that `files` define, sorted.
    public func names(in files: [File]) throws(TemplateError) -> [String] {
        var names: Set<String> = []
        for file in files {
            var own = TemplateSet(functions: AlertmanagerFunctions.names)
            try own.add(file.text, name: file.name)
            names.formUnion(own.names)
            names.remove(file.name)
        }
        return names.sorted { ByteOrder.precedes($0, $1) }
    }

    /// The template `text`, parsed.
    public func template(_ text: String) throws(TemplateError) -> Template {
        if let known = parsed.withLock({ $0[text] }) { return known }
        let template = try Template(text, name: "", in: set)
        parsed.withLock { parsed in
            if parsed.count >= Self.cacheCapacity { parsed = [:] }
            parsed[text] = template
        }
        return template
    }

    /// Expands `text` for `dot`.
    public func expand(
        _ text: String, for dot: TemplateValue, mode: Template.Mode = .text, routeLabels: [String: String] = [:]
    ) throws(TemplateError) -> String {
        guard text.contains("{{") || mode == .html else { return text }
        return try expand(text, dot, mode, RouteLabels(templates: self, dot: dot, labels: routeLabels, path: []))
    }

    private func expand(
        _ text: String, _ dot: TemplateValue, _ mode: Template.Mode, _ labels: RouteLabels
    ) throws(TemplateError) -> String {
        let functions = AlertmanagerFunctions(time: Timestamp(milliseconds: SystemClock.wallMilliseconds())) {
            name throws(TemplateFailure) in try labels.expanded(name)
        }
        return try template(text).expand(dot, functions: functions.table, mode: mode, limits: Self.limits)
    }

    /// The labels of a route: templates that may refer to each other.
    private struct RouteLabels: Sendable {
        let templates: NotificationTemplates
        let dot: TemplateValue
        let labels: [String: String]
        /// The labels that are currently being expanded.
        let path: [String]

        func expanded(_ name: String) throws(TemplateFailure) -> String {
            guard let text = labels[name] else { return "" }
            guard !path.contains(name) else {
                throw TemplateFailure(
                    "route label \"\(name)\" refers to itself: \((path + [name]).joined(separator: " → "))")
            }
            let inner = RouteLabels(templates: templates, dot: dot, labels: labels, path: path + [name])
            do throws(TemplateError) {
                return text.contains("{{") ? try templates.expand(text, dot, .text, inner) : text
            } catch {
                throw TemplateFailure(error.message)
            }
        }
    }
}
