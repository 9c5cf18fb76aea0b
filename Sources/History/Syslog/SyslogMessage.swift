internal import MetricModel
internal import TLS

/// A ledger entry as a message of RFC 5424. A value.
///
/// The text is the leaf of the entry, byte for byte, so that the receiver can compute its hash; the structured data
/// repeats the fields that receivers sort and search by. Texts about persons are commitments in both.
struct SyslogMessage: Equatable {
    /// The number that documents use for a private enterprise (RFC 5612): Tribune has none of its own.
    static let dataID = "tribune@32473"

    /// The message without framing.
    let bytes: [UInt8]

    /// - Parameter node: the name of the host.
    init(_ row: LedgerRow, _ destination: SyslogDestination, node: String) {
        let priority = destination.facility.rawValue * 8 + Self.severity(of: row.kind)
        let time = RFC3339.text(milliseconds: row.milliseconds)
        let head =
            "<\(priority)>1 \(time) \(Self.name(node, 255)) tribune - \(Self.name(row.kind, 32)) "
        var members = [("sequence", String(row.sequence)), ("kind", row.kind), ("hash", Hexadecimal.text(row.hash))]
        if !row.incident.isEmpty { members.append(("incident", row.incident)) }
        if !row.service.isEmpty { members.append(("service", row.service)) }
        if !row.subject.isEmpty { members.append(("subject", row.subject)) }
        let whole = Array((head + Self.data(members) + " " + row.leaf).utf8)
        guard whole.count > destination.maximumBytes else {
            bytes = whole
            return
        }
        let omitted = members.filter { $0.0 != "subject" } + [("omitted", String(row.leaf.utf8.count))]
        bytes = Array((head + Self.data(omitted)).utf8)
    }

    /// The message with its length in front: RFC 6587, octet counting, and RFC 5425.
    var framed: [UInt8] { Array("\(bytes.count) ".utf8) + bytes }

    /// The severity: errors of the record first, then what needs a look.
    private static func severity(of kind: String) -> Int {
        switch LedgerEvent.Kind(rawValue: kind) {
        case .damage, .gap: 3  // error
        case .violation, .denied, .alert: 4  // warning
        case .decision, .rollbackStep, .verdict, .page, .acknowledgement, .schedule, .configurationChange, .order,
            .erasure,
            .nodeKey:
            5
        case .silence, .deployment, .checkpoint, .login, .tokenUse, .migration, .retention, .measurements, nil: 6
        }
    }

    /// `text` as a field of the header: printable ASCII without blanks; `-` if nothing is left.
    private static func name(_ text: String, _ limit: Int) -> String {
        let name = text.utf8.map { $0 > 0x20 && $0 < 0x7f ? $0 : 0x5f }.prefix(limit)
        return name.isEmpty ? "-" : String(decoding: name, as: UTF8.self)
    }

    private static func data(_ members: [(String, String)]) -> String {
        "[" + dataID + members.map { " \($0.0)=\"\(escaped($0.1))\"" }.joined() + "]"
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" || scalar == "]" { result += "\\" }
            // A line break would end the message where a receiver counts lines.
            result.unicodeScalars.append(scalar.value < 0x20 ? " " : scalar)
        }
        return result
    }
}
