internal import MetricModel

// Series descriptions.
extension Parser {
    mutating func series() throws(Interruption) -> SeriesNotation {
        let labels = try metric()
        var values: [SeriesNotation.Value] = []
        while peek().kind != .end {
            do {
                try expect(.space)
                if startsValue(peek()) { try value(into: &values) }
            } catch .unexpectedToken {
                recover(in: "series values", expected: "")
                values = []
            }
        }
        return SeriesNotation(labels: labels, values: values)
    }

    // MARK: The metric

    mutating func metric() throws(Interruption) -> Labels {
        let name = peek().isMetricName ? take().text : nil
        var pairs: [Label] = []
        if accept(.leftBrace) != nil { try labels(into: &pairs) }
        if let name { pairs.append(Label(Labels.metricName, name)) }
        return Labels(pairs)
    }

    private mutating func labels(into pairs: inout [Label]) throws(Interruption) {
        if accept(.rightBrace) != nil { return }
        label(into: &pairs)
        while true {
            if accept(.rightBrace) != nil { return }
            if accept(.comma) != nil {
                if accept(.rightBrace) != nil { return }
                label(into: &pairs)
                continue
            }
            do {
                try skipUnexpected()
            } catch .unexpectedToken {
                recover(in: "label set", expected: "\",\" or \"}\"")
            }
        }
    }

    private mutating func label(into pairs: inout [Label]) {
        let token = peek()
        guard token.kind == .identifier || token.kind == .string else {
            return recover(in: "label set", expected: "identifier or \"}\"")
        }
        take()
        let name = token.kind == .string ? String(decoding: unquoted(token), as: UTF8.self) : token.text
        guard accept(.equal) != nil else {
            if token.kind == .string {
                pairs.append(Label(Labels.metricName, name))
            } else {
                recover(in: "label set", expected: "\"=\"")
            }
            return
        }
        guard let value = accept(.string) else { return recover(in: "label set", expected: "string") }
        pairs.append(Label(name, String(decoding: unquoted(value), as: UTF8.self)))
    }

    // MARK: Values

    private func startsValue(_ token: Token) -> Bool {
        [.blank, .identifier, .number, .operator(.add), .operator(.subtract), .openHistogram].contains(token.kind)
    }

    /// `5`, `_x3`, `1+2x3`, `{{…}}` and so on, up to and including the blank after it.
    private mutating func value(into values: inout [SeriesNotation.Value]) throws(Interruption) {
        if accept(.blank) != nil {
            let count = accept(.times) == nil ? 1 : try count()
            try append(.missing, times: count, to: &values)
        } else if peek().kind == .openHistogram {
            try histograms(into: &values)
        } else {
            try floats(into: &values)
        }
    }

    private mutating func append(
        _ value: SeriesNotation.Value, times: UInt64, to values: inout [SeriesNotation.Value]
    ) throws(Interruption) {
        guard times <= UInt64(SeriesNotation.valueLimit - values.count) else {
            report("more than \(SeriesNotation.valueLimit) values", at: taken)
            throw .abandoned
        }
        values += repeatElement(value, count: Int(times))
    }

    private mutating func floats(into values: inout [SeriesNotation.Value]) throws(Interruption) {
        var value: Double
        if let word = accept(.identifier) {
            if word.text != "stale" {
                reportUnexpected(word, in: "series values", expected: "number or \"stale\"")
            }
            value = .staleMarker
        } else {
            value = try signedNumber()
        }
        guard [.operator(.add), .operator(.subtract)].contains(peek().kind) else {
            let repetitions = accept(.times) == nil ? 0 : try count()
            return try append(.float(value), times: min(repetitions, .max - 1) + 1, to: &values)
        }
        let increase = try signedNumber()
        try expect(.times)
        // By repeated addition: scripts expect the same rounding errors.
        for step in 0...(try count()) {
            if step > 0 { value += increase }
            try append(.float(value), times: 1, to: &values)
        }
    }

    private mutating func signedNumber() throws(Interruption) -> Double {
        let sign = acceptSign()
        while peek().kind != .number { try skipUnexpected() }
        let number = numberLiteral().value
        return sign?.symbol == .minus ? -number : number
    }

    /// The number of repetitions.
    private mutating func count() throws(Interruption) -> UInt64 {
        let token = try expect(.number)
        if let count = UInt64(token.text), token.text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) { return count }
        let reason = token.text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? "value out of range" : "invalid syntax"
        let text = MetricText.quoted(token.text)
        report("invalid repetition in series values: strconv.ParseUint: parsing \(text): \(reason)", at: token.range)
        return 0
    }
}

// Native histograms.
extension Parser {
    private typealias WrittenHistogram = (value: FloatHistogram, hasHint: Bool)

    /// `{{…}}`, `{{…}}x3`, `{{…}}+{{…}}x3` or `{{…}}-{{…}}x3`.
    private mutating func histograms(into values: inout [SeriesNotation.Value]) throws(Interruption) {
        let first = try histogram()
        guard let sign = acceptSign() else {
            let repetitions = accept(.times) == nil ? 0 : try count()
            let value = SeriesNotation.Value.histogram(first.value, hasResetHint: first.hasHint)
            return try append(value, times: min(repetitions, .max - 1) + 1, to: &values)
        }
        let increase = try histogram()
        try expect(.times)
        var current = first.value
        for step in 0...(try count()) {
            if step > 0 {
                guard combine(&current, sign.symbol, increase.value) else { return }
            }
            try append(.histogram(current, hasResetHint: increase.hasHint), times: 1, to: &values)
        }
    }

    private mutating func combine(
        _ current: inout FloatHistogram, _ sign: UnaryOperator, _ increase: FloatHistogram
    ) -> Bool {
        guard current.schema <= increase.schema else {
            report(
                "error combining histograms: cannot merge from schema \(increase.schema) to \(current.schema)",
                at: latestRange)
            return false
        }
        guard (sign == .plus ? current.add(increase) : current.subtract(increase)) != nil else {
            report("error combining histograms: exponential and custom buckets do not mix", at: latestRange)
            return false
        }
        return true
    }

    private mutating func histogram() throws(Interruption) -> WrittenHistogram {
        try expect(.openHistogram)
        var fields = HistogramFields()
        if accept(.space) == nil, peek().kind != .closeHistogram {
            try field(into: &fields)
            while accept(.closeHistogram) == nil {
                do {
                    try expect(.space)
                    if accept(.closeHistogram) != nil { return fields.histogram }
                    try field(into: &fields)
                } catch .unexpectedToken {
                    recover(
                        in: "histogram description",
                        expected: "histogram description key, e.g. buckets:[5 10 7]")
                }
            }
            return fields.histogram
        }
        try expect(.closeHistogram)
        return fields.histogram
    }

    private mutating func field(into fields: inout HistogramFields) throws(Interruption) {
        guard case .descriptor(let key) = peek().kind else { throw .unexpectedToken }
        take()
        try expect(.colon)
        let value: HistogramFields.Value
        switch key {
        case .sum, .count, .zeroBucket, .zeroBucketWidth: value = .number(try signedNumber())
        case .schema:
            let schema = try integer()
            if !(-9...52).contains(schema) && schema != FloatHistogram.customBucketsSchema {
                report("unsupported histogram schema \(schema)", at: taken)
            }
            value = .integer(schema)
        case .offset, .negativeOffset: value = .integer(try integer())
        case .buckets, .negativeBuckets, .customValues: value = .numbers(try numbers())
        case .counterResetHint:
            guard case .resetHint(let hint) = peek().kind else { throw .unexpectedToken }
            take()
            value = .hint(hint)
        }
        if fields.values.updateValue(fields.values[key] ?? value, forKey: key) != nil {
            report("duplicate key \"\(key.rawValue)\" in histogram", at: SourceRange(0, 0))
        }
    }

    private mutating func integer() throws(Interruption) -> Int32 {
        let sign = acceptSign()
        let magnitude = Int64(truncatingIfNeeded: try count())
        return Int32(truncatingIfNeeded: sign?.symbol == .minus ? 0 &- magnitude : magnitude)
    }

    private mutating func numbers() throws(Interruption) -> [Double] {
        try expect(.leftBracket)
        var numbers = [try signedNumber()]
        while accept(.rightBracket) == nil {
            do {
                try expect(.space)
                if accept(.rightBracket) != nil { return numbers }
                numbers.append(try signedNumber())
            } catch .unexpectedToken {
                // Prometheus recovers here without an error, and may then accept the line.
                report("unexpected \(peek().summary) in buckets", at: latestRange)
                throw .abandoned
            }
        }
        return numbers
    }
}

/// The fields of a histogram as written.
private struct HistogramFields {
    enum Value {
        case number(Double)
        case integer(Int32)
        case numbers([Double])
        case hint(FloatHistogram.CounterResetHint)
    }

    var values: [HistogramField: Value] = [:]

    var histogram: (value: FloatHistogram, hasHint: Bool) {
        var histogram = FloatHistogram()
        for (field, value) in values {
            switch (field, value) {
            case (.sum, .number(let number)): histogram.sum = number
            case (.count, .number(let number)): histogram.count = number
            case (.zeroBucket, .number(let number)): histogram.zeroCount = number
            case (.zeroBucketWidth, .number(let number)): histogram.zeroThreshold = number
            case (.schema, .integer(let schema)): histogram.schema = schema
            case (.customValues, .numbers(let bounds)): histogram.customValues = bounds
            case (.buckets, .numbers(let counts)):
                histogram.positiveBuckets = counts
                histogram.positiveSpans = span(counts, at: .offset)
            case (.negativeBuckets, .numbers(let counts)):
                histogram.negativeBuckets = counts
                histogram.negativeSpans = span(counts, at: .negativeOffset)
            case (_, .hint(let hint)): histogram.counterResetHint = hint
            default: break
            }
        }
        return (histogram, values[.counterResetHint] != nil)
    }

    private func span(_ counts: [Double], at field: HistogramField) -> [FloatHistogram.Span] {
        guard case .integer(let offset) = values[field] ?? .integer(0) else { return [] }
        return [FloatHistogram.Span(offset: offset, length: UInt32(counts.count))]
    }
}
