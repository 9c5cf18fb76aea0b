internal import MetricModel
internal import PromQL
internal import WebCore

/// Series selectors in parameters.
enum Selector {
    /// The matchers of `name{a="b"}`.
    ///
    /// - Parameter needsCondition: rejects a selector that matches series without labels.
    static func matchers(
        _ text: String, parameter: String = "match[]", needsCondition: Bool = false
    ) throws(APIError) -> [Matcher] {
        let matchers: [Matcher]
        do {
            matchers = try Expression.parseSelector(text)
        } catch {
            throw .invalid(parameter, error)
        }
        if needsCondition {
            var conditions: [LabelCondition] = []
            for matcher in matchers { conditions.append(try LabelCondition(matcher)) }
            guard conditions.contains(where: { !$0.holds(for: .empty) }) else {
                throw .invalid(parameter, "match[] must contain at least one non-empty matcher")
            }
        }
        return matchers
    }

    /// The matchers, compiled for labels outside the store.
    static func conditions(_ text: String, parameter: String = "match[]") throws(APIError) -> [LabelCondition] {
        var conditions: [LabelCondition] = []
        for matcher in try matchers(text, parameter: parameter) { conditions.append(try LabelCondition(matcher)) }
        return conditions
    }
}

/// Label names in paths: `U__http_2e_status_code` stands for `http.status_code`.
enum EscapedName {
    /// The unescaped name of `text`; `text` itself if it is not validly escaped.
    static func decoded(_ text: String) -> String {
        guard text.hasPrefix("U__") else { return text }
        var result = String.UnicodeScalarView()
        var rest = text.unicodeScalars.dropFirst(3)
        while let scalar = rest.popFirst() {
            guard scalar == "_" else {
                result.append(scalar)
                continue
            }
            if rest.first == "_" {
                rest.removeFirst()
                result.append("_")
                continue
            }
            guard let end = rest.firstIndex(of: "_"), let value = UInt32(String(rest[..<end]), radix: 16),
                let meant = Unicode.Scalar(value)
            else { return text }
            result.append(meant)
            rest = rest[rest.index(after: end)...]
        }
        return String(result)
    }
}
