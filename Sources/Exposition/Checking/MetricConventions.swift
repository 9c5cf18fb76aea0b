internal import MetricModel

/// The conventions for names, units and help that `promtool check metrics` checks.
enum MetricConventions {
    /// Units with their base unit, without prefixes.
    private static let units: [(unit: String, base: String)] = [
        ("amperes", "amperes"), ("bytes", "bytes"), ("celsius", "celsius"), ("grams", "grams"), ("joules", "joules"),
        ("kelvin", "kelvin"), ("meters", "meters"), ("metres", "metres"), ("moles", "moles"), ("seconds", "seconds"),
        ("volts", "volts"), ("minutes", "seconds"), ("hours", "seconds"), ("days", "seconds"), ("weeks", "seconds"),
        ("kelvins", "kelvin"), ("fahrenheit", "celsius"), ("rankine", "celsius"), ("inches", "meters"),
        ("yards", "meters"), ("miles", "meters"), ("bits", "bytes"), ("calories", "joules"), ("pounds", "grams"),
        ("ounces", "grams"),
    ]
    private static let prefixes = [
        "pico", "nano", "micro", "milli", "centi", "deci", "deca", "hecto", "kilo", "kibi", "mega", "mibi", "giga",
        "gibi", "tera", "tebi", "peta", "pebi",
    ]
    private static let abbreviations: Set<String> = [
        "s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d",
    ]

    /// Suggestions, by metric family.
    static func problems(of families: [CheckedFamily]) -> [ExpositionProblem] {
        families.sorted { ByteOrder.precedes($0.name, $1.name) }.flatMap { family in
            texts(family).map {
                ExpositionProblem(severity: .lint, line: 0, metric: family.name, message: $0)
            }
        }
    }

    private static func texts(_ family: CheckedFamily) -> [String] {
        var texts: [String] = []
        if (family.help ?? "").isEmpty { texts.append("no help text") }
        texts += units(family.name) + suffixes(family) + labels(family)
        let words = family.name.lowercased().split(separator: "_").map { String($0) }
        let type = family.type ?? .unknown
        if type != .unknown, type != .info, type != .stateset, words.contains(type.name) {
            texts.append("metric name should not include type '\(type.name)'")
        }
        if family.name.contains(":") { texts.append("metric names should not contain ':'") }
        if isCamelCase(family.name) {
            texts.append("metric names should be written in 'snake_case' not 'camelCase'")
        }
        if words.contains(where: abbreviations.contains) {
            texts.append("metric names should not contain abbreviated units")
        }
        return texts + duplicates(family)
    }

    private static func units(_ name: String) -> [String] {
        let words = name.split(separator: "_").map { String($0) }
        for word in words {
            for (unit, base) in units where word == unit || prefixes.contains(where: { word == $0 + unit }) {
                return word == base ? [] : ["use base unit \"\(base)\" instead of \"\(word)\""]
            }
        }
        return []
    }

    private static func suffixes(_ family: CheckedFamily) -> [String] {
        var texts: [String] = []
        let isCounter = family.type == .counter
        let hasTotal = family.name.hasSuffix("_total")
        if isCounter && !hasTotal { texts.append("counter metrics should have \"_total\" suffix") }
        if !isCounter && hasTotal && family.type != .unknown {
            texts.append("non-counter metrics should not have \"_total\" suffix")
        }
        guard family.type != .unknown, family.type != nil else { return texts }
        let isHistogram = family.type == .histogram || family.type == .gaugehistogram
        if !isHistogram && family.name.hasSuffix("_bucket") {
            texts.append("non-histogram metrics should not have \"_bucket\" suffix")
        }
        for suffix in ["_count", "_sum"] where !isHistogram && family.type != .summary && family.name.hasSuffix(suffix)
        {
            texts.append("non-histogram and non-summary metrics should not have \"\(suffix)\" suffix")
        }
        return texts
    }

    private static func labels(_ family: CheckedFamily) -> [String] {
        let names = Set(family.samples.flatMap { $0.labels.map(\.name) }).sorted(by: ByteOrder.precedes)
        var texts = names.filter(isCamelCase).map { _ in
            "label names should be written in 'snake_case' not 'camelCase'"
        }
        guard family.type != .unknown else { return texts }
        let isHistogram = family.type == .histogram || family.type == .gaugehistogram
        if !isHistogram, names.contains("le") { texts.append("non-histogram metrics should not have \"le\" label") }
        if family.type != .summary, names.contains("quantile") {
            texts.append("non-summary metrics should not have \"quantile\" label")
        }
        return texts
    }

    private static func duplicates(_ family: CheckedFamily) -> [String] {
        var known: Set<Labels> = []
        let isUnique = family.samples.allSatisfy { known.insert(Labels(metric: $0.name, $0.labels)).inserted }
        return isUnique ? [] : ["metric not unique"]
    }

    /// Whether a lower-case letter is followed by an upper-case one.
    private static func isCamelCase(_ name: String) -> Bool {
        zip(name.utf8, name.utf8.dropFirst()).contains { one, next in
            (0x61...0x7a).contains(one) && (0x41...0x5a).contains(next)
        }
    }
}
