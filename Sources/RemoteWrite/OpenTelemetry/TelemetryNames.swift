/// The names of metrics, labels and units that OpenTelemetry's names become. Values without state.
///
/// As Prometheus's translation: prometheus/otlptranslator/metric_namer.go, label_namer.go, unit_namer.go.
struct TelemetryNames: Equatable {
    /// Whether characters other than letters, digits, `_` and `:` become `_`.
    var escapes: Bool
    /// Whether names get their unit and `_total` or `_ratio` as suffixes.
    var addsSuffixes: Bool
    /// Whether a label that starts with one `_` gets the prefix `key`.
    var prefixesUnderscores = true
    /// Whether several `_` in a row stay in the name of a label.
    var keepsUnderscores = true

    /// The kinds that matter for names.
    enum Kind {
        case counter
        case gauge
        case other
    }

    // MARK: Metrics

    /// The name of a metric, or `nil` if nothing of it is left.
    func metric(_ name: String, unit: String, _ kind: Kind) -> String? {
        let built: String
        switch (escapes, addsSuffixes) {
        case (true, true): built = escapedWithSuffixes(name, unit, kind)
        case (true, false):
            built = Self.digitPrefixed(Self.words(name, keepingUnderscores: true).joined(separator: "_"))
        case (false, true): built = withSuffixes(name, unit, kind)
        case (false, false): built = name
        }
        if built.isEmpty || (escapes && built != name && Self.hasOnlyUnderscores(built)) { return nil }
        return built
    }

    private func escapedWithSuffixes(_ name: String, _ unit: String, _ kind: Kind) -> String {
        var words = Self.words(name, keepingUnderscores: false)
        let (main, per) = Self.unitWords(unit)
        Self.addUnit(Self.cleaned(main), Self.cleaned(per), to: &words)
        if kind == .counter { Self.moveToEnd("total", &words) }
        if unit == "1", kind == .gauge { Self.moveToEnd("ratio", &words) }
        return Self.digitPrefixed(words.joined(separator: "_"))
    }

    private static func addUnit(_ main: String, _ per: String, to words: inout [String]) {
        var main = words.contains(main) ? "" : main
        var per = per == "per_" ? "" : trimmed(per, "_")
        if words.contains(per) { per = "" }
        if !per.isEmpty { main = trimmed(main, "_") }
        if !main.isEmpty { words.append(main) }
        if !per.isEmpty { words.append(per) }
    }

    private static func moveToEnd(_ word: String, _ words: inout [String]) {
        words.removeAll { $0 == word }
        words.append(word)
    }

    private func withSuffixes(_ name: String, _ unit: String, _ kind: Kind) -> String {
        var name = name
        var end = ""
        func take(_ word: String) {
            name = Self.withoutWord(name, word)
            end = "_\(word)\(end)"
        }
        if unit == "1", kind == .gauge { take("ratio") }
        if kind == .counter { take("total") }
        let (main, per) = Self.unitWords(unit)
        if !per.isEmpty { take(per) }
        if !main.isEmpty, !name.hasSuffix(main) { name += "_\(main)" }
        return name + end
    }

    /// `name` without `word` at its end and the character before it.
    private static func withoutWord(_ name: String, _ word: String) -> String {
        guard name.hasSuffix(word), name.utf8.count > word.utf8.count + 1 else { return name }
        return String(name.dropLast(word.count + 1))
    }

    private static func trimmed(_ text: String, _ suffix: String) -> String {
        text.hasSuffix(suffix) ? String(text.dropLast(suffix.count)) : text
    }

    private static func digitPrefixed(_ name: String) -> String {
        name.utf8.first.map { (0x30...0x39).contains($0) } == true ? "_" + name : name
    }

    private static func hasOnlyUnderscores(_ name: String) -> Bool {
        name.utf8.allSatisfy { $0 == UInt8(ascii: "_") }
    }

    /// The parts of `name` between characters that metric names cannot have.
    private static func words(_ name: String, keepingUnderscores: Bool) -> [String] {
        name.unicodeScalars.split { !(isPlain($0) || $0 == ":" || (keepingUnderscores && $0 == "_")) }
            .map { String($0) }
    }

    /// Whether it is a letter or digit of ASCII.
    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9": true
        default: false
        }
    }

    // MARK: Units

    /// The unit in metadata: `By/s` is `bytes_per_second`.
    func unit(_ unit: String) -> String {
        var (main, per) = Self.unitWords(unit)
        if escapes { (main, per) = (Self.cleaned(main), Self.cleaned(per)) }
        var text = !main.isEmpty && !per.isEmpty ? "\(main)_\(per)" : main + per
        if text.first == "_" { text.removeFirst() }
        if text.last == "_" { text.removeLast() }
        return text
    }

    /// The words of a unit before and after the slash.
    private static func unitWords(_ unit: String) -> (main: String, per: String) {
        let parts = unit.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map {
            let start = $0.drop(while: \.isWhitespace)
            return String(
                start.prefix(upTo: start.lastIndex { !$0.isWhitespace }.map(start.index(after:)) ?? start.startIndex))
        }
        func isWord(_ part: String) -> Bool { !part.isEmpty && !part.contains { $0 == "{" || $0 == "}" } }
        var (main, per) = ("", "")
        if let part = parts.first, isWord(part) { main = units[part] ?? part }
        if parts.count > 1, isWord(parts[1]) { per = "per_" + (perUnits[parts[1]] ?? parts[1]) }
        return (main, per)
    }

    /// Characters that names cannot have become one `_`; none at the start.
    private static func cleaned(_ unit: String) -> String {
        var text = ""
        for scalar in unit.unicodeScalars {
            if isPlain(scalar) || scalar == ":" {
                text.unicodeScalars.append(scalar)
            } else if text.last != "_" {
                text += "_"
            }
        }
        return text.first == "_" ? String(text.dropFirst()) : text
    }

    private static let units: [String: String] = [
        "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds",
        "ns": "nanoseconds", "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "GiBy": "gibibytes",
        "TiBy": "tibibytes", "KBy": "kilobytes", "MBy": "megabytes", "GBy": "gigabytes", "TBy": "terabytes",
        "m": "meters", "V": "volts", "A": "amperes", "J": "joules", "W": "watts", "g": "grams", "Cel": "celsius",
        "Hz": "hertz", "1": "", "%": "percent",
    ]

    private static let perUnits: [String: String] = [
        "s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year",
    ]

    // MARK: Labels

    /// The name of a label, or `nil` if nothing but `_` is left of it.
    func label(_ name: String) -> String? {
        guard escapes else { return Self.hasOnlyUnderscores(name) ? nil : name }
        var label = keepsUnderscores ? Self.escaped(name) : Self.escapedOnce(name)
        if let first = label.utf8.first, (0x30...0x39).contains(first) {
            label = "key_" + label
        } else if prefixesUnderscores, label.hasPrefix("_"), !label.hasPrefix("__") {
            label = "key" + label
        }
        return Self.hasOnlyUnderscores(label) ? nil : label
    }

    private static func escaped(_ name: String) -> String {
        var label = ""
        for scalar in name.unicodeScalars { label.unicodeScalars.append(isPlain(scalar) ? scalar : "_") }
        return label
    }

    /// With one `_` for several characters, except around reserved names such as `__name__`.
    private static func escapedOnce(_ name: String) -> String {
        let isReserved = name.utf8.count > 4 && name.hasPrefix("__") && name.hasSuffix("__")
        var label = ""
        for scalar in (isReserved ? String(name.dropFirst(2).dropLast(2)) : name).unicodeScalars {
            if isPlain(scalar) {
                label.unicodeScalars.append(scalar)
            } else if label.last != "_" {
                label += "_"
            }
        }
        return isReserved ? "__\(label)__" : label
    }
}
