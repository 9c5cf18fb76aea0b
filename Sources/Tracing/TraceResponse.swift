internal import Protobuf

/// An `ExportTraceServiceResponse`. A value.
struct TraceResponse: Equatable {
    var rejected = 0
    var message = ""

    /// Reads `bytes`. What cannot be read is ignored: the collector has taken the message.
    init(_ bytes: [UInt8]) {
        self = (try? ProtobufReader.reading(bytes, Self.read)) ?? self
    }

    private init() {}

    var outcome: TraceMessage.Outcome { .taken(rejected: rejected, message: message) }

    private static func read(_ reader: ProtobufReader) throws(ProtobufFault) -> TraceResponse {
        var response = TraceResponse()
        var reader = reader
        while let field = try reader.next() {
            guard field.number == 1, case .bytes(let range) = field.content else { continue }
            var partial = reader.message(range)
            while let field = try partial.next() {
                switch (field.number, field.content) {
                case (1, .varint(let count)): response.rejected = Int(clamping: count)
                case (2, .bytes(let range)): response.message = partial.validText(range) ?? ""
                default: continue
                }
            }
        }
        return response
    }
}
