/// Makes a configuration file of the platform faster: every duration in it is divided by a factor. A value.
///
/// Durations are scrape and evaluation intervals, `for`, ranges of expressions, stages, cooldowns. A minimum of samples
/// belongs to a range and is divided too. Thresholds, texts, timeouts and durations in weeks stay as they are.
struct KitPace: Equatable, Sendable {
    /// The allowed factors.
    static let range = 1.0...100

    /// The factor; 1 leaves files unchanged.
    var factor = 1.0
    /// Nothing is faster than this, in milliseconds. Scrapes need more time than rules.
    var floor = 250.0

    /// A duration of `seconds` as text.
    func duration(_ seconds: Double) -> String { Self.text(milliseconds: scaled(seconds * 1000)) }

    /// `text` with faster durations.
    func apply(to text: String) -> String {
        guard factor != 1 else { return text }
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { apply(toLine: String($0)) }
            .joined(separator: "\n")
    }

    private func apply(toLine line: String) -> String {
        let words = line.drop { $0 == " " || $0 == "-" }
        // Routers and validations do not become faster.
        guard !["#", "summary:", "description:", "timeout:"].contains(where: words.hasPrefix) else { return line }
        var output = ""
        var rest = Substring(line)
        var before: Character = " "
        while let first = rest.first {
            // A duration follows a bracket, or a colon and a space.
            if first.isASCII, first.isNumber, before == "[" || output.hasSuffix(": "), let found = Self.duration(rest) {
                output += Self.text(milliseconds: scaled(found.milliseconds))
                rest = found.rest
            } else {
                output.append(first)
                rest = rest.dropFirst()
            }
            before = output.last ?? " "
        }
        return scaleMinimum(output)
    }

    /// `min_samples: {…, value: 100}`
    private func scaleMinimum(_ line: String) -> String {
        guard line.contains("min_samples:"), let range = line.firstRange(of: "value: ") else { return line }
        let digits = line[range.upperBound...].prefix { $0.isNumber }
        guard let value = Double(digits) else { return line }
        let scaled = max(1, Int((value / factor).rounded(.up)))
        return line[..<range.upperBound] + "\(scaled)" + line[digits.endIndex...]
    }

    private func scaled(_ milliseconds: Double) -> Double {
        milliseconds == 0 ? 0 : min(milliseconds, max(floor, milliseconds / factor)).rounded()
    }

    /// The duration at the beginning of `text`, if it ends there or before a bracket, a comma or a space.
    private static func duration(_ text: Substring) -> (milliseconds: Double, rest: Substring)? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text[digits.endIndex...].prefix { $0.isLetter }
        let rest = text[unit.endIndex...]
        let units = ["ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6, "d": 8.64e7]
        guard let number = Double(digits), let factor = units[String(unit)],
            rest.first.map({ "],} :".contains($0) }) ?? true
        else { return nil }
        return (number * factor, rest)
    }

    private static func text(milliseconds: Double) -> String {
        let whole = Int(milliseconds)
        return whole % 1000 == 0 ? "\(whole / 1000)s" : "\(whole)ms"
    }
}
