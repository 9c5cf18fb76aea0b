extension ExpositionParser {
    mutating func nextInText() throws(ExpositionError) -> Token {
        while true {
            skipBlanks()
            guard position < count else { return .end }
            switch current {
            case UInt8(ascii: "\n"): position += 1
            case UInt8(ascii: "#"): return try nextTextComment()
            default:
                try takeSeries()
                skipBlanks()
                guard position < count, current != UInt8(ascii: "\n") else { throw expected("value after metric") }
                valueStart = position
                value = try takeNumber()
                try finishTextSample()
                return .sample
            }
        }
    }

    /// An optional timestamp in milliseconds, blanks, and the newline (or the end of the body).
    mutating func finishTextSample() throws(ExpositionError) {
        exemplarLabels = 0..<0
        hasTimestamp = false
        skipBlanks()
        if current &- 0x30 < 10 {
            hasTimestamp = true
            timestampMilliseconds = 0
            while current &- 0x30 < 10 {
                let (product, overflow) = timestampMilliseconds.multipliedReportingOverflow(by: 10)
                let (sum, overflowed) = product.addingReportingOverflow(Int64(current &- 0x30))
                if overflow || overflowed { throw fault("timestamp out of range") }
                timestampMilliseconds = sum
                position += 1
            }
            skipBlanks()
        }
        guard position >= count || current == UInt8(ascii: "\n") else {
            throw expected(hasTimestamp ? "next entry after timestamp" : "timestamp or new record")
        }
        position += 1
    }

    /// `# TYPE`, `# HELP`, or a comment.
    private mutating func nextTextComment() throws(ExpositionError) -> Token {
        let start = position
        position += 1
        let blank = current
        skipBlanks()
        let isBlank = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        let isType = starts(with: "TYPE")
        guard isBlank(blank), isType || starts(with: "HELP"), isBlank(byte(position + 4)) else {
            text = start..<lineEnd()
            position = text.upperBound + 1
            return .comment
        }
        position += 4
        skipBlanks()
        try takeMetadataName(after: isType ? "TYPE" : "HELP")
        // One byte, whatever it is, separates the name from the text.
        let end = lineEnd()
        text = min(position + 1, end)..<end
        if isType {
            try setType(word: "untyped", for: .unknown, except: [.gaugehistogram, .info, .stateset, .unknown])
        }
        if !isType { _ = try plainText() }
        position = end + 1
        return isType ? .type : .help
    }

    /// Reads the name in a metadata line.
    mutating func takeMetadataName(after keyword: String) throws(ExpositionError) {
        let start = position
        let isTaken = current == UInt8(ascii: "\"") ? takeQuoted(newlines: false) : takeName(colon: true)
        guard isTaken else { throw expected("metric name after \(keyword)") }
        name = start..<position
    }

    /// Reads the type of a `# TYPE` line. `word` stands for `special`; the names in `excluded` are unknown.
    mutating func setType(word: String, for special: MetricType, except excluded: [MetricType])
        throws(ExpositionError)
    {
        let found = unsafe String(decoding: buffer(text), as: UTF8.self)
        if found == word {
            type = special
        } else if let known = MetricType.allCases.first(where: { $0.name == found && !excluded.contains($0) }) {
            type = known
        } else {
            throw fault("invalid metric type \"\(found.prefix(40))\"")
        }
    }
}
