internal import MetricModel

extension ExpositionParser {
    /// The syntax of label lists in a format.
    private struct LabelRules {
        /// Blanks and tabs are allowed between tokens.
        let blanks: Bool
        /// The comma between labels is optional, and a trailing comma is allowed.
        let looseCommas: Bool
        /// Quoted strings may contain newlines.
        let newlines: Bool

        init(_ format: ExpositionFormat) {
            blanks = format == .text
            looseCommas = format == .text
            newlines = format == .text
        }
    }

    /// Reads a series: a name with or without braces, or braces with a quoted name in them.
    mutating func takeSeries() throws(ExpositionError) {
        let start = position
        let isNamed = takeName(colon: true)
        let nameEnd = position
        if format == .text { skipBlanks() }
        if current == UInt8(ascii: "{") {
            if try !takeLabels(isNamed: isNamed, quotedNames: true) { throw fault("metric name not set") }
            series = start..<position
        } else {
            guard isNamed else { throw expected("a valid start token") }
            position = nameEnd
            series = start..<nameEnd
        }
    }

    /// Reads a label list with its braces.
    ///
    /// - Parameters:
    ///   - isNamed: whether the metric name was read before.
    ///   - quotedNames: whether a quoted string alone is the metric name.
    /// - Returns: whether there is a metric name.
    mutating func takeLabels(isNamed: Bool, quotedNames: Bool) throws(ExpositionError) -> Bool {
        let rules = LabelRules(format)
        var isNamed = isNamed
        position += 1
        if rules.blanks { skipBlanks() }
        while current != UInt8(ascii: "}") {
            let isQuoted = current == UInt8(ascii: "\"")
            let isEmpty = isQuoted && byte(position + 1) == UInt8(ascii: "\"")
            guard isQuoted ? takeQuoted(newlines: rules.newlines) : takeName(colon: false) else {
                throw expected("label name")
            }
            if rules.blanks { skipBlanks() }
            if isQuoted, quotedNames, current == UInt8(ascii: ",") || current == UInt8(ascii: "}") {
                if isNamed { throw fault("metric name set twice") }
                if isEmpty { throw fault("metric name not set") }
                isNamed = true
            } else {
                guard current == UInt8(ascii: "=") else { throw expected("equal") }
                position += 1
                if rules.blanks { skipBlanks() }
                guard current == UInt8(ascii: "\""), takeQuoted(newlines: rules.newlines) else {
                    throw expected("label value")
                }
                if rules.blanks { skipBlanks() }
            }
            if current == UInt8(ascii: ",") {
                position += 1
                if rules.blanks { skipBlanks() }
                if current == UInt8(ascii: "}") && !rules.looseCommas { throw expected("label name") }
            } else if current != UInt8(ascii: "}") && !rules.looseCommas {
                throw expected("comma or closing brace")
            }
        }
        position += 1
        return isNamed
    }

    /// The labels of the sample that was read, with `le` and `quantile` in their canonical form.
    ///
    /// - Parameter former: the labels of a previous series. Texts that both have are shared with it.
    func seriesLabels(like former: Labels = .empty) throws(ExpositionError) -> Labels {
        try labels(of: series, canonicalBounds: true, like: former.pairs)
    }

    /// The exemplar of the sample that was read.
    func exemplar() throws(ExpositionError) -> Exemplar? {
        guard !exemplarLabels.isEmpty else { return nil }
        return Exemplar(
            labels: try labels(of: exemplarLabels, canonicalBounds: false), value: exemplarValue,
            timestamp: exemplarTimestamp)
    }

    /// Decodes text that ``takeSeries()`` or ``takeLabels(isNamed:quotedNames:)`` has accepted.
    private func labels(
        of range: Range<Int>, canonicalBounds: Bool, like former: [Label] = []
    ) throws(ExpositionError) -> Labels {
        var scan = self
        scan.position = range.lowerBound
        var pairs: [Label] = []
        pairs.reserveCapacity(former.count)
        if scan.takeName(colon: true) {
            let name = try string(range.lowerBound..<scan.position, like: former.first?.value)
            pairs.append(Label(Labels.metricName, name))
        }
        while scan.position < range.upperBound {
            switch scan.current {
            case UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: ","), UInt8(ascii: " "), UInt8(ascii: "\t"):
                scan.position += 1
            default:
                let near = pairs.count < former.count ? former[pairs.count] : nil
                try insert(scan.decodeLabel(canonicalBounds, like: near), into: &pairs)
            }
        }
        if pairs.contains(where: { $0.value.isEmpty }) { pairs.removeAll { $0.value.isEmpty } }
        return Labels(sorted: pairs)
    }

    /// Inserts a label into sorted labels. Targets expose labels nearly in order, so its position is near the
    /// end.
    private func insert(_ label: Label, into pairs: inout [Label]) throws(ExpositionError) {
        var index = pairs.count
        while index > 0, ByteOrder.precedes(label.name, pairs[index - 1].name) { index -= 1 }
        if index > 0, ByteOrder.equal(label.name, pairs[index - 1].name) {
            throw fault("label name \(MetricText.quoted(label.name)) is not unique")
        }
        pairs.insert(label, at: index)
    }

    private mutating func decodeLabel(_ canonicalBounds: Bool, like former: Label?) throws(ExpositionError) -> Label {
        let nameStart = position
        let isQuoted = current == UInt8(ascii: "\"")
        _ = isQuoted ? takeQuoted(newlines: true) : takeName(colon: false)
        let name =
            try isQuoted ? unquoted(nameStart..<position) : string(nameStart..<position, like: former?.name)
        skipBlanks()
        guard current == UInt8(ascii: "=") else { return Label(Labels.metricName, name) }
        position += 1
        skipBlanks()
        let start = position
        _ = takeQuoted(newlines: true)
        let value = try unquoted(start..<position, like: former?.value)
        return Label(name, canonicalBounds ? canonical(value, ofLabel: name) : value)
    }

    private func canonical(_ text: String, ofLabel name: String) -> String {
        guard (type == .histogram && name == "le") || (type == .summary && name == "quantile") else { return text }
        return OpenMetricsNumber.canonical(text)
    }
}

/// Numbers in OpenMetrics's form for bounds and quantiles: shortest form, with a point or an exponent.
enum OpenMetricsNumber {
    static func text(_ value: Double) -> String {
        let text = FloatText.general(value)
        return text.utf8.contains { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") } || !value.isFinite
            ? text : text + ".0"
    }

    /// `text` in that form if it is a number; otherwise unchanged.
    static func canonical(_ text: String) -> String {
        value(text).map { Self.text($0) } ?? text
    }

    /// The number, if all of `text` is one.
    static func value(_ text: String) -> Double? {
        var value = 0.0
        let padded = Array(text.utf8) + [UInt8](repeating: 0, count: 16)
        let length = unsafe padded.withUnsafeBufferPointer { buffer in
            // Because of the padding there is a base address.
            unsafe DecimalNumber.tables.read(buffer.baseAddress!, &value)
        }
        return length > 0 && length == text.utf8.count ? value : nil
    }
}
