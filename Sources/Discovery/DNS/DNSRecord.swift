internal import CResolver

/// One record of a response that can be a target.
enum DNSRecord: Equatable {
    /// A or AAAA.
    case address(String)
    case service(target: String, port: Int)
    case mailServer(String)
    case nameServer(String)
}

/// Why a name could not be resolved.
struct DNSFailure: Error, Equatable {
    let reason: String
}

extension DNSRecord {
    private final class Found {
        var records: [DNSRecord] = []
    }

    /// Queries the system's resolver, or `server`. Waits for the response, which may take several seconds.
    static func query(
        _ name: String, _ type: DNSDiscovery.RecordType, _ server: DNSDiscovery.Server?
    ) throws(DNSFailure) -> [DNSRecord] {
        let found = Found()
        let context = unsafe Unmanaged.passUnretained(found).toOpaque()
        let number =
            switch type {
            case .a: 1
            case .aaaa: 28
            case .srv: 33
            case .mx: 15
            case .ns: 2
            }
        let code = unsafe cresolver_query(name, Int32(number), server?.address, server?.port ?? 0, visitor, context)
        switch Int(code) {
        case 0...: return found.records
        case Int(cresolver_no_such_name): return []
        case Int(cresolver_malformed): throw DNSFailure(reason: "the response is malformed")
        case Int(cresolver_no_resolver): throw DNSFailure(reason: "the resolver cannot be set up")
        default: throw DNSFailure(reason: "could not resolve: no server responded without an error")
        }
    }

    private static let visitor: cresolver_visitor = { record, context in
        guard let record = unsafe record?.pointee, let context = unsafe context else { return }
        let found = unsafe Unmanaged<Found>.fromOpaque(context).takeUnretainedValue()
        let text = unsafe withUnsafeBytes(of: record.text) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        switch record.type {
        case 1, 28: found.records.append(.address(text))
        case 33: found.records.append(.service(target: text, port: Int(record.port)))
        case 15: found.records.append(.mailServer(text))
        case 2: found.records.append(.nameServer(text))
        default: break
        }
    }
}
