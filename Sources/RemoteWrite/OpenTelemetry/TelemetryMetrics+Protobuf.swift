internal import JSON
package import Protobuf
internal import TLS

extension TelemetryMetrics {
    /// Reads `ExportMetricsServiceRequest`.
    package init(protobuf bytes: [UInt8]) throws(ProtobufFault) {
        self = try ProtobufReader.reading(bytes) { message throws(ProtobufFault) in
            var metrics = TelemetryMetrics()
            try message.fields { (number, content, reader) throws(ProtobufFault) in
                guard number == 1, case .bytes(let range) = content else { return }
                metrics.resources.append(try TelemetryResource(reader.message(range)))
            }
            return metrics
        }
    }
}

extension ProtobufReader {
    /// Calls `take` with each field.
    fileprivate func fields(
        _ take: (_ number: UInt64, _ content: Content, _ reader: ProtobufReader) throws(ProtobufFault) -> Void
    ) throws(ProtobufFault) {
        var reader = self
        while let (number, content) = try reader.next() { try take(number, content, reader) }
    }
}

extension TelemetryResource {
    fileprivate init(_ message: ProtobufReader) throws(ProtobufFault) {
        self.init()
        try message.fields { (number, content, reader) throws(ProtobufFault) in
            guard case .bytes(let range) = content else { return }
            switch number {
            case 1: attributes += try TelemetryAttribute.list(reader.message(range), field: 1)
            case 2: scopes.append(try TelemetryScope(reader.message(range)))
            default: return
            }
        }
    }
}

extension TelemetryScope {
    fileprivate init(_ message: ProtobufReader) throws(ProtobufFault) {
        self.init()
        try message.fields { (number, content, reader) throws(ProtobufFault) in
            guard case .bytes(let range) = content else { return }
            switch number {
            case 1: try readScope(reader.message(range))
            case 2: metrics.append(try TelemetryMetric(reader.message(range)))
            case 3: schemaURL = try reader.text(range)
            default: return
            }
        }
    }

    private mutating func readScope(_ message: ProtobufReader) throws(ProtobufFault) {
        attributes += try TelemetryAttribute.list(message, field: 3)
        try message.fields { (number, content, reader) throws(ProtobufFault) in
            guard case .bytes(let range) = content else { return }
            switch number {
            case 1: name = try reader.text(range)
            case 2: version = try reader.text(range)
            default: return
            }
        }
    }
}

extension TelemetryMetric {
    fileprivate init(_ message: ProtobufReader) throws(ProtobufFault) {
        self.init()
        try message.fields { (number, content, reader) throws(ProtobufFault) in
            guard case .bytes(let range) = content else { return }
            let part = reader.message(range)
            switch number {
            case 1: name = try reader.text(range)
            case 2: description = try reader.text(range)
            case 3: unit = try reader.text(range)
            case 5:
                points = .gauge(try Self.points(part) { (point) throws(ProtobufFault) in try TelemetryNumber(point) }.0)
            case 7:
                let (list, temporality, isMonotonic) = try Self.points(part) { (point) throws(ProtobufFault) in
                    try TelemetryNumber(point)
                }
                points = .sum(list, temporality, isMonotonic: isMonotonic)
            case 9:
                let (list, temporality, _) = try Self.points(part) { (point) throws(ProtobufFault) in
                    try TelemetryHistogram(point)
                }
                points = .histogram(list, temporality)
            case 10:
                let (list, temporality, _) = try Self.points(part) { (point) throws(ProtobufFault) in
                    try TelemetryExponentialHistogram(point)
                }
                points = .exponential(list, temporality)
            case 11:
                points = .summary(
                    try Self.points(part) { (point) throws(ProtobufFault) in try TelemetrySummary(point) }.0)
            default: return
            }
        }
    }

    /// `Gauge`, `Sum`, `Histogram` and the others have common field numbers.
    private static func points<Point>(
        _ message: ProtobufReader, _ read: (ProtobufReader) throws(ProtobufFault) -> Point
    ) throws(ProtobufFault) -> ([Point], Temporality, isMonotonic: Bool) {
        var result: ([Point], Temporality, isMonotonic: Bool) = ([], .unspecified, false)
        try message.fields { (number, content, reader) throws(ProtobufFault) in
            switch (number, content) {
            case (1, .bytes(let range)): result.0.append(try read(reader.message(range)))
            case (2, .varint(let value)): result.1 = Temporality(rawValue: value) ?? .unspecified
            case (3, .varint(let value)): result.2 = value != 0
            default: return
            }
        }
        return result
    }
}

// MARK: Data points

extension TelemetryPoint {
    /// Start and time, which have the same numbers in all data points.
    fileprivate mutating func takeTime(_ number: UInt64, _ content: ProtobufReader.Content) {
        guard case .fixed64(let value) = content else { return }
        if number == 2 { start = value }
        if number == 3 { time = value }
    }

    fileprivate mutating func takeFlags(_ value: UInt64) {
        hasNoValue = value & Self.noValueFlag != 0
    }
}

extension TelemetryNumber {
    fileprivate init(_ message: ProtobufReader) throws(ProtobufFault) {
        self.init()
        try message.fields { (number, content, reader) throws(ProtobufFault) in
            switch (number, content) {
            case (4, .fixed64(let bits)): value = Double(bitPattern: bits)
            case (6, .fixed64(let bits)): value = Double(Int64(bitPattern: bits))
            case (5, .bytes(let range)): point.exemplars.append(try TelemetryExemplar(reader.message(range)))
            case (7, .bytes(let range)): point.attributes.append(try TelemetryAttribute(reader.message(range)))
            case (8, .varint(let flags)): point.takeFlags(flags)
            default: point.takeTime(number, content)
            }
        }
    }
}

extension TelemetryHistogram {
    fileprivate init(_ message: ProtobufReader) throws(ProtobufFault) {
        self.init()
        try message.fields { (number, content, reader) throws(ProtobufFault) in
            switch (number, content) {
            case (4, .fixed64(let value)): count = value
            case (5, .fixed64(let bits)): sum = Double(bitPattern: bits)
            case (6, let content): try reader.takeFixed64(content) { bucketCounts.append($0) }
            case (7, let content): try reader.takeDoubles(content, into: &bounds)
            case (8, .bytes(let range)): point.exemplars.append(try TelemetryExemplar(reader.message(range)))
            case (9, .bytes(let range)): point.attributes.append(try TelemetryAttribute(reader.message(range)))
            case (10, .varint(let flags)): point.takeFlags(flags)
            default: point.takeTime(number, content)
            }
        }
    }
}

extension TelemetryExponentialHistogram {
    fileprivate init(_ message: ProtobufReader) throws(ProtobufFault) {
        self.init()
        try message.fields { (number, content, reader) throws(ProtobufFault) in
            switch (number, content) {
            case (1, .bytes(let range)): point.attributes.append(try TelemetryAttribute(reader.message(range)))
            case (4, .fixed64(let value)): count = value
            case (5, .fixed64(let bits)): sum = Double(bitPattern: bits)
            case (6, .varint(let value)): scale = Int32(truncatingIfNeeded: ProtobufReader.zigzag(value))
            case (7, .fixed64(let value)): zeroCount = value
            case (8, .bytes(let range)): positive = try Buckets(reader.message(range))
            case (9, .bytes(let range)): negative = try Buckets(reader.message(range))
            case (10, .varint(let flags)): point.takeFlags(flags)
            case (11, .bytes(let range)): point.exemplars.append(try TelemetryExemplar(reader.message(range)))
            default: point.takeTime(number, content)
            }
        }
    }
}

extension TelemetryExponentialHistogram.Buckets {
    fileprivate init(_ message: ProtobufReader) throws(ProtobufFault) {
        self.init()
        try message.fields { (number, content, reader) throws(ProtobufFault) in
            switch (number, content) {
            case (1, .varint(let value)): offset = Int32(truncatingIfNeeded: ProtobufReader.zigzag(value))
            case (2, let content): try reader.takeNumbers(content) { counts.append($0) }
            default: return
            }
        }
    }
}

extension TelemetrySummary {
    fileprivate init(_ message: ProtobufReader) throws(ProtobufFault) {
        self.init()
        try message.fields { (number, content, reader) throws(ProtobufFault) in
            switch (number, content) {
            case (4, .fixed64(let value)): count = value
            case (5, .fixed64(let bits)): sum = Double(bitPattern: bits)
            case (6, .bytes(let range)): quantiles.append(try Quantile(reader.message(range)))
            case (7, .bytes(let range)): point.attributes.append(try TelemetryAttribute(reader.message(range)))
            case (8, .varint(let flags)): point.takeFlags(flags)
            default: point.takeTime(number, content)
            }
        }
    }
}

extension TelemetrySummary.Quantile {
    fileprivate init(_ message: ProtobufReader) throws(ProtobufFault) {
        self.init()
        try message.fields { (number, content, _) throws(ProtobufFault) in
            switch (number, content) {
            case (1, .fixed64(let bits)): quantile = Double(bitPattern: bits)
            case (2, .fixed64(let bits)): value = Double(bitPattern: bits)
            default: return
            }
        }
    }
}

extension TelemetryExemplar {
    fileprivate init(_ message: ProtobufReader) throws(ProtobufFault) {
        self.init()
        try message.fields { (number, content, reader) throws(ProtobufFault) in
            switch (number, content) {
            case (2, .fixed64(let value)): time = value
            case (3, .fixed64(let bits)): value = Double(bitPattern: bits)
            case (4, .bytes(let range)): spanID = unsafe Hexadecimal.text(reader.buffer(range))
            case (5, .bytes(let range)): traceID = unsafe Hexadecimal.text(reader.buffer(range))
            case (6, .fixed64(let bits)): value = Double(Int64(bitPattern: bits))
            case (7, .bytes(let range)): attributes.append(try TelemetryAttribute(reader.message(range)))
            default: return
            }
        }
    }
}

// MARK: Attributes

extension TelemetryAttribute {
    /// The attributes in the fields `field` of `message`.
    fileprivate static func list(
        _ message: ProtobufReader, field: UInt64
    ) throws(ProtobufFault) -> [TelemetryAttribute] {
        var list: [TelemetryAttribute] = []
        try message.fields { (number, content, reader) throws(ProtobufFault) in
            guard number == field, case .bytes(let range) = content else { return }
            list.append(try TelemetryAttribute(reader.message(range)))
        }
        return list
    }

    fileprivate init(_ message: ProtobufReader) throws(ProtobufFault) {
        let (key, value) = try Self.pair(message, depth: 0)
        self.init(key: key, value: Self.text(of: value))
    }

    /// The maximum depth of nested values.
    private static let deepest = 32

    private static func pair(_ message: ProtobufReader, depth: Int) throws(ProtobufFault) -> (String, JSON) {
        var pair = ("", JSON.null)
        try message.fields { (number, content, reader) throws(ProtobufFault) in
            guard case .bytes(let range) = content else { return }
            if number == 1 { pair.0 = try reader.text(range) }
            if number == 2 { pair.1 = try value(reader.message(range), depth: depth) }
        }
        return pair
    }

    /// `AnyValue`
    private static func value(_ message: ProtobufReader, depth: Int) throws(ProtobufFault) -> JSON {
        guard depth < deepest else { throw message.unknown("value at a depth of more than \(deepest)") }
        var value = JSON.null
        try message.fields { (number, content, reader) throws(ProtobufFault) in
            switch (number, content) {
            case (1, .bytes(let range)): value = .string(try reader.text(range))
            case (2, .varint(let bits)): value = .bool(bits != 0)
            case (3, .varint(let bits)): value = .integer(Int64(bitPattern: bits))
            case (4, .fixed64(let bits)): value = .number(Double(bitPattern: bits))
            case (5, .bytes(let range)): value = .array(try elements(reader.message(range), depth: depth + 1))
            case (6, .bytes(let range)): value = .object(try members(reader.message(range), depth: depth + 1))
            case (7, .bytes(let range)): value = .string(Base64.text(unsafe Array(reader.buffer(range))))
            default: return
            }
        }
        return value
    }

    private static func elements(_ message: ProtobufReader, depth: Int) throws(ProtobufFault) -> [JSON] {
        var elements: [JSON] = []
        try message.fields { (number, content, reader) throws(ProtobufFault) in
            guard number == 1, case .bytes(let range) = content else { return }
            elements.append(try value(reader.message(range), depth: depth))
        }
        return elements
    }

    private static func members(_ message: ProtobufReader, depth: Int) throws(ProtobufFault) -> [JSON.Member] {
        var members: [JSON.Member] = []
        try message.fields { (number, content, reader) throws(ProtobufFault) in
            guard number == 1, case .bytes(let range) = content else { return }
            let (key, value) = try pair(reader.message(range), depth: depth)
            members.append(.init(key, value))
        }
        return members
    }
}
