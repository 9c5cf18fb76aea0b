internal import Protobuf

/// A span of OpenTelemetry. A value.
struct Span: Equatable, Sendable {
    /// The role of a span; the raw values are OTLP's.
    enum Kind: UInt64, Sendable {
        case `internal` = 1
        /// A request to another system.
        case client = 3
    }

    /// Whether what the span describes succeeded.
    enum Status: Equatable, Sendable {
        case unset
        case ok
        case error(String)
    }

    /// The value of an attribute.
    enum Value: Equatable, Sendable, ExpressibleByStringLiteral {
        case text(String)
        case integer(Int64)
        case number(Double)
        case texts([String])

        init(stringLiteral text: String) { self = .text(text) }
    }

    /// An attribute.
    struct Attribute: Equatable, Sendable {
        var name: String
        var value: Value

        init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }

        init(_ name: String, _ text: String) {
            self.init(name, .text(text))
        }
    }

    /// Something that happened at one time.
    struct Event: Equatable, Sendable {
        /// Nanoseconds since the epoch.
        var time: Int64
        var name: String
        var attributes: [Attribute] = []
    }

    /// The maximum number of events; the others are counted.
    static let mostEvents = 128

    let trace: TraceID
    /// 8 bytes.
    let id: [UInt8]
    /// The parent's id; empty for the root.
    let parent: [UInt8]
    var name: String
    var kind = Kind.internal
    /// Nanoseconds since the epoch.
    var start: Int64
    /// Nanoseconds since the epoch; not before `start`.
    var end: Int64
    var attributes: [Attribute] = []
    var events: [Event] = []
    var status = Status.unset

    init(_ trace: TraceID, _ key: String, in parent: String?, named name: String, from start: Int64, to end: Int64) {
        self.trace = trace
        id = trace.span(key)
        self.parent = parent.map(trace.span) ?? []
        self.name = name
        self.start = start
        // A clock that was set must not make a span that no backend takes.
        self.end = max(start, end)
    }
}

// MARK: OTLP

extension Span {
    /// Writes an `opentelemetry.proto.trace.v1.Span`.
    func write(to writer: inout ProtobufWriter) {
        writer.bytes(1, trace.bytes)
        writer.bytes(2, id)
        if !parent.isEmpty { writer.bytes(4, parent) }
        writer.text(5, name)
        writer.number(6, kind.rawValue)
        writer.fixed64(7, UInt64(clamping: start))
        writer.fixed64(8, UInt64(clamping: end))
        for attribute in attributes { writer.message(9) { attribute.write(to: &$0) } }
        for event in events.prefix(Self.mostEvents) {
            writer.message(11) { writer in
                writer.fixed64(1, UInt64(clamping: event.time))
                writer.text(2, event.name)
                for attribute in event.attributes { writer.message(3) { attribute.write(to: &$0) } }
            }
        }
        if events.count > Self.mostEvents { writer.number(12, UInt64(events.count - Self.mostEvents)) }
        switch status {
        case .unset: break
        case .ok: writer.message(15) { $0.number(3, 1) }
        case .error(let reason):
            writer.message(15) { writer in
                writer.text(2, reason)
                writer.number(3, 2)
            }
        }
    }

    /// An `ExportTraceServiceRequest` with `spans` of a process with the attributes `resource`.
    static func request(_ spans: [Span], resource: [Attribute], version: String) -> [UInt8] {
        var writer = ProtobufWriter(reserving: 512 + spans.count * 512)
        writer.message(1) { writer in
            writer.message(1) { writer in
                for attribute in resource { writer.message(1) { attribute.write(to: &$0) } }
            }
            writer.message(2) { writer in
                writer.message(1) { writer in
                    writer.text(1, "tribune")
                    writer.text(2, version)
                }
                for span in spans { writer.message(2) { span.write(to: &$0) } }
            }
        }
        return writer.bytes
    }
}

extension Span.Attribute {
    /// Writes a `KeyValue`.
    func write(to writer: inout ProtobufWriter) {
        writer.text(1, name)
        writer.message(2) { value.write(to: &$0) }
    }
}

extension Span.Value {
    /// Writes an `AnyValue`.
    func write(to writer: inout ProtobufWriter) {
        switch self {
        case .text(let text): writer.text(1, text)
        case .integer(let integer): writer.number(3, UInt64(bitPattern: integer))
        case .number(let number): writer.double(4, number)
        case .texts(let texts):
            writer.message(5) { writer in
                for text in texts { writer.message(1) { $0.text(1, text) } }
            }
        }
    }
}
