internal import MetricModel

/// Reads the text format as strictly as `promtool check metrics`: what a scraper ignores is an error here.
///
/// Not optimised. Used by one thread.
struct StrictTextReader {
    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var families: [CheckedFamily] = []
    private var indices: [String: Int] = [:]
    private var current = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The families with samples, in order of first appearance.
    mutating func read() throws(ExpositionError) -> [CheckedFamily] {
        while true {
            skipBlanks()
            guard let byte = peek else { break }
            switch byte {
            case UInt8(ascii: "\n"): advance()
            case UInt8(ascii: "#"): try readComment()
            default: try readSample()
            }
        }
        return families.filter { !$0.samples.isEmpty }
    }
}

// MARK: Bytes

extension StrictTextReader {
    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func fault(_ message: String) -> ExpositionError { ExpositionError(line: line, message: message) }

    private mutating func advance() {
        if peek == UInt8(ascii: "\n") { line += 1 }
        position += 1
    }

    private mutating func skipBlanks() {
        while let byte = peek, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { position += 1 }
    }

    private mutating func skipLine() {
        while let byte = peek, byte != UInt8(ascii: "\n") { position += 1 }
        advance()
    }

    private mutating func takeWhile(_ isWanted: (UInt8) -> Bool) -> String {
        let start = position
        while let byte = peek, isWanted(byte) { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func takeName(colon: Bool) -> String {
        var isFirst = true
        return takeWhile { byte in
            let letter = byte | 0x20 &- 0x61 < 26 || byte == UInt8(ascii: "_") || (colon && byte == UInt8(ascii: ":"))
            defer { isFirst = false }
            return letter || (!isFirst && byte &- 0x30 < 10)
        }
    }

    /// Reads a quoted string in which only `\\`, `\"` and `\n` are escapes.
    private mutating func takeQuoted(_ what: String) throws(ExpositionError) -> String {
        position += 1
        var content: [UInt8] = []
        while let byte = peek {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw fault("invalid \(what) \(MetricText.quoted(String(decoding: content, as: UTF8.self)))")
                }
                return text
            case UInt8(ascii: "\\"): content.append(try takeEscape(quotes: true))
            case UInt8(ascii: "\n"):
                let text = String(decoding: content, as: UTF8.self)
                throw fault("\(what) \(MetricText.quoted(text)) contains unescaped new-line")
            default: content.append(byte)
            }
        }
        throw fault("unexpected end of input stream")
    }

    private mutating func takeEscape(quotes: Bool) throws(ExpositionError) -> UInt8 {
        defer { position += 1 }
        switch peek {
        case UInt8(ascii: "\\"): return UInt8(ascii: "\\")
        case UInt8(ascii: "n"): return UInt8(ascii: "\n")
        case UInt8(ascii: "\"") where quotes: return UInt8(ascii: "\"")
        case let byte: throw fault("invalid escape sequence '\\\(byte.map { String(Unicode.Scalar($0)) } ?? "")'")
        }
    }
}

// MARK: Lines

extension StrictTextReader {
    private mutating func readComment() throws(ExpositionError) {
        position += 1
        skipBlanks()
        let keyword = takeWhile { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") && $0 != UInt8(ascii: "\n") }
        skipBlanks()
        guard keyword == "HELP" || keyword == "TYPE", let next = peek, next != UInt8(ascii: "\n") else {
            return skipLine()
        }
        let name = next == UInt8(ascii: "\"") ? try takeQuoted("metric name") : takeName(colon: true)
        let after = peek ?? UInt8(ascii: "\n")
        let ends = after == UInt8(ascii: " ") || after == UInt8(ascii: "\t") || after == UInt8(ascii: "\n")
        guard !name.isEmpty, ends else { throw fault("invalid metric name in comment") }
        select(name)
        skipBlanks()
        guard let start = peek, start != UInt8(ascii: "\n") else { return skipLine() }
        if keyword == "HELP" { try readHelp() } else { try readType() }
    }

    private mutating func readHelp() throws(ExpositionError) {
        guard families[current].help == nil else {
            throw fault("second HELP line for metric name \(MetricText.quoted(families[current].name))")
        }
        var content: [UInt8] = []
        while let byte = peek, byte != UInt8(ascii: "\n") {
            position += 1
            content.append(byte == UInt8(ascii: "\\") ? try takeEscape(quotes: true) : byte)
        }
        families[current].help = String(decoding: content, as: UTF8.self)
        skipLine()
    }

    private mutating func readType() throws(ExpositionError) {
        let word = takeWhile { $0 != UInt8(ascii: "\n") }
        let name = MetricText.quoted(families[current].name)
        guard families[current].type == nil else {
            throw fault("second TYPE line for metric name \(name), or TYPE reported after samples")
        }
        switch word.lowercased() {
        case "counter": families[current].type = .counter
        case "gauge": families[current].type = .gauge
        case "summary": families[current].type = .summary
        case "histogram": families[current].type = .histogram
        case "gaugehistogram", "gauge_histogram": families[current].type = .gaugehistogram
        case "untyped": families[current].type = .unknown
        default: throw fault("unknown metric type \(MetricText.quoted(word))")
        }
        skipLine()
    }

    private mutating func readSample() throws(ExpositionError) {
        let start = line
        var name = takeName(colon: true)
        skipBlanks()
        var labels: [Label] = []
        if peek == UInt8(ascii: "{") { try readLabels(&name, &labels) }
        guard !name.isEmpty else { throw fault("invalid metric name") }
        select(name)
        if families[current].type == nil { families[current].type = .unknown }
        try checkBounds(labels)
        let value = try readValue()
        families[current].samples.append(CheckedFamily.Sample(name: name, labels: labels, value: value, line: start))
        try checkPopulation(name, value)
        guard peek != nil else { throw fault("unexpected end of input stream") }
        skipLine()
    }

    private mutating func readLabels(_ name: inout String, _ labels: inout [Label]) throws(ExpositionError) {
        position += 1
        while true {
            skipBlanks()
            guard let byte = peek else { throw fault("unexpected end of input stream") }
            if byte == UInt8(ascii: "}") { break }
            let isQuoted = byte == UInt8(ascii: "\"")
            let label = isQuoted ? try takeQuoted("label name") : takeName(colon: false)
            guard !label.isEmpty else { throw fault("invalid label name for metric \(MetricText.quoted(name))") }
            skipBlanks()
            if isQuoted, peek == UInt8(ascii: ",") || peek == UInt8(ascii: "}") {
                guard name.isEmpty else { throw fault("multiple metric names \(MetricText.quoted(label))") }
                name = label
            } else {
                try readLabelValue(label, name, &labels)
            }
            skipBlanks()
            if peek == UInt8(ascii: ",") {
                position += 1
            } else if peek != UInt8(ascii: "}") {
                throw fault("unexpected end of label value")
            }
        }
        position += 1
        skipBlanks()
    }

    private mutating func readLabelValue(
        _ label: String, _ name: String, _ labels: inout [Label]
    ) throws(ExpositionError) {
        guard peek == UInt8(ascii: "=") else { throw fault("expected '=' after label name") }
        guard label != Labels.metricName else { throw fault("label name \"__name__\" is reserved") }
        position += 1
        skipBlanks()
        guard peek == UInt8(ascii: "\"") else { throw fault("expected '\"' at start of label value") }
        let value = try takeQuoted("label value")
        if labels.contains(where: { ByteOrder.equal($0.name, label) }) {
            throw fault("duplicate label names for metric \(MetricText.quoted(name))")
        }
        labels.append(Label(label, value))
    }

    /// The value and an optional timestamp.
    private mutating func readValue() throws(ExpositionError) -> Double {
        let isBlank = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        let text = takeWhile { !isBlank($0) && $0 != UInt8(ascii: "\n") }
        guard let value = OpenMetricsNumber.value(text) else {
            throw fault("expected float as value, got \(MetricText.quoted(text))")
        }
        skipBlanks()
        let stamp = takeWhile { !isBlank($0) && $0 != UInt8(ascii: "\n") }
        if !stamp.isEmpty, Int64(stamp) == nil {
            throw fault("expected integer as timestamp, got \(MetricText.quoted(stamp))")
        }
        skipBlanks()
        if let byte = peek, byte != UInt8(ascii: "\n") { throw fault("spurious string after timestamp") }
        return value
    }

    private func checkBounds(_ labels: [Label]) throws(ExpositionError) {
        let bound: String? =
            switch families[current].type {
            case .summary: "quantile"
            case .histogram, .gaugehistogram: "le"
            case .unknown, .counter, .gauge, .info, .stateset, nil: nil
            }
        for label in labels where label.name == bound && OpenMetricsNumber.value(label.value) == nil {
            throw fault("expected float as value for '\(label.name)' label, got \(MetricText.quoted(label.value))")
        }
    }

    private func checkPopulation(_ name: String, _ value: Double) throws(ExpositionError) {
        guard families[current].type == .histogram, value < 0 else { return }
        let family = MetricText.quoted(families[current].name)
        if name.hasSuffix("_count") { throw fault("negative count for histogram \(family)") }
        if name.hasSuffix("_bucket") { throw fault("negative bucket population for histogram \(family)") }
    }

    /// Makes the family of a series or metadata line the current one. `x_sum` belongs to the summary or histogram `x`.
    private mutating func select(_ name: String) {
        let suffixes: [(String, Set<MetricType>)] = [
            ("_bucket", [.histogram, .gaugehistogram]), ("_count", [.histogram, .gaugehistogram, .summary]),
            ("_sum", [.histogram, .gaugehistogram, .summary]),
        ]
        if let known = indices[name] {
            current = known
            return
        }
        for (suffix, types) in suffixes where name.hasSuffix(suffix) {
            guard let index = indices[String(name.dropLast(suffix.count))], let type = families[index].type,
                types.contains(type)
            else { continue }
            current = index
            return
        }
        families.append(CheckedFamily(name: name))
        current = families.count - 1
        indices[name] = current
    }
}
