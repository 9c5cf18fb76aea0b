internal import MetricModel

extension ExpositionParser {
    mutating func nextInOpenMetrics() throws(ExpositionError) -> Token {
        guard position < count else { throw ExpositionError(line: 0, message: "data does not end with # EOF") }
        if current == UInt8(ascii: "#") { return try nextOpenMetricsComment() }
        try takeSeries()
        guard current == UInt8(ascii: " ") else { throw expected("value after metric") }
        position += 1
        valueStart = position
        value = try takeNumber()
        try finishOpenMetricsSample()
        return .sample
    }

    /// An optional timestamp in seconds, an optional exemplar, and the newline.
    mutating func finishOpenMetricsSample() throws(ExpositionError) {
        exemplarLabels = 0..<0
        hasTimestamp = false
        if current == UInt8(ascii: " ") && byte(position + 1) != UInt8(ascii: "#") {
            timestampMilliseconds = try takeSeconds("timestamp").milliseconds
            hasTimestamp = true
        }
        if current == UInt8(ascii: " ") { try takeExemplar() }
        try takeNewline(after: hasTimestamp ? "timestamp" : "value")
    }

    /// ` # {labels} value [timestamp]`.
    private mutating func takeExemplar() throws(ExpositionError) {
        guard starts(with: " # {") else { throw expected("timestamp or # symbol") }
        guard unsafe Self.allowExemplars(of: unsafe buffer(series)) else {
            throw fault("this metric does not support exemplars")
        }
        position += 3
        let start = position
        _ = try takeLabels(isNamed: true, quotedNames: false)
        exemplarLabels = start..<position
        guard current == UInt8(ascii: " ") else { throw expected("value after exemplar labels") }
        position += 1
        exemplarValue = try takeNumber()
        exemplarTimestamp = current == UInt8(ascii: " ") ? try takeSeconds("exemplar timestamp") : nil
    }

    /// Whether a series counts observations. Like Prometheus, this checks only the name.
    private static func allowExemplars(of series: UnsafeBufferPointer<UInt8>) -> Bool {
        let name = unsafe series.prefix { $0 != UInt8(ascii: "{") }
        // A quoted name is inside the braces. Its suffix is not known here.
        if unsafe name.isEmpty { return true }
        let suffixes: [StaticString] = ["_total", "_bucket", "_count", "_sum", "_gcount", "_gsum"]
        return suffixes.contains { suffix in
            unsafe name.suffix(suffix.utf8CodeUnitCount).elementsEqual(
                UnsafeBufferPointer(start: suffix.utf8Start, count: suffix.utf8CodeUnitCount))
        }
    }

    /// A blank and a time in seconds, truncated to milliseconds.
    private mutating func takeSeconds(_ what: String) throws(ExpositionError) -> Timestamp {
        position += 1
        let seconds = try takeNumber()
        guard let milliseconds = Int64(exactly: (seconds * 1000).rounded(.towardZero)) else {
            throw fault("invalid \(what)")
        }
        return Timestamp(milliseconds: milliseconds)
    }

    private mutating func takeNewline(after what: String) throws(ExpositionError) {
        guard position < count else { throw ExpositionError(line: 0, message: "data does not end with # EOF") }
        guard current == UInt8(ascii: "\n") else { throw expected("next entry after \(what)") }
        position += 1
    }

    private mutating func nextOpenMetricsComment() throws(ExpositionError) -> Token {
        if starts(with: "# EOF") {
            let end = position + 5
            guard end == count || (end + 1 == count && byte(end) == UInt8(ascii: "\n")) else {
                throw fault("unexpected data after # EOF")
            }
            position = count
            return .end
        }
        let token: Token
        if starts(with: "# TYPE ") {
            token = .type
        } else if starts(with: "# HELP ") {
            token = .help
        } else if starts(with: "# UNIT ") {
            token = .unit
        } else {
            throw expected("a valid start token")
        }
        let keyword = unsafe String(decoding: buffer(position + 2..<position + 6), as: UTF8.self)
        position += 7
        try takeMetadataName(after: keyword)
        let end = lineEnd()
        guard current == UInt8(ascii: " "), end < count else { throw fault("expected text in \(keyword)") }
        text = position + 1..<end
        switch token {
        case .type: try setType(word: "unknown", for: .unknown, except: [])
        case .unit: try checkUnit()
        case .help: _ = try plainText()
        case .end, .comment, .sample: break
        }
        position = end + 1
        return token
    }

    /// The unit must be the end of the name, after an underscore.
    private func checkUnit() throws(ExpositionError) {
        let unit = try plainText()
        let metric = metricName()
        if !unit.isEmpty, !Self.ends(metric, with: "_" + unit) {
            throw fault("unit \(MetricText.quoted(unit)) not a suffix of metric \(MetricText.quoted(metric))")
        }
    }

    private static func ends(_ name: String, with suffix: String) -> Bool {
        name.utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
    }
}
