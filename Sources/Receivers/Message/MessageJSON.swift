internal import JSON
internal import MetricModel
internal import Runtime

/// Messages in Alertmanager's JSON format.
enum MessageJSON {
    /// The members of Alertmanager's `Data`. At most `limit` alerts are included; 0 for no limit.
    static func data(_ message: Message, externalURL: String, limit: Int) -> JSON {
        let shown = limit > 0 ? Array(message.alerts.prefix(limit)) : message.alerts
        // Common labels and annotations are those of the included alerts.
        var visible = message
        visible.alerts = shown
        return [
            "receiver": .string(message.quotedReceiver),
            "status": .string(visible.status),
            "alerts": .array(shown.map(alert)),
            "groupLabels": object(message.groupLabels),
            "commonLabels": object(visible.commonLabels),
            "commonAnnotations": object(visible.commonAnnotations),
            "externalURL": .string(externalURL),
        ]
    }

    static func alert(_ alert: MessageAlert) -> JSON {
        [
            "status": .string(alert.status),
            "labels": object(alert.labels),
            "annotations": object(alert.annotations),
            "startsAt": .string(RFC3339.trimmedText(milliseconds: alert.startsAt.milliseconds)),
            "endsAt": .string(
                alert.isResolved ? RFC3339.trimmedText(milliseconds: alert.endsAt.milliseconds) : "0001-01-01T00:00:00Z"
            ),
            "generatorURL": .string(alert.generatorURL),
            "fingerprint": .string(alert.labels.fingerprint),
        ]
    }

    static func object(_ labels: Labels) -> JSON {
        .object(labels.pairs.map { JSON.Member($0.name, .string($0.value)) })
    }
}

extension JSON {
    /// The text as Go's `encoding/json` writes it: `<`, `>`, `&` and two line separators are escaped.
    var json: String { String(decoding: jsonBytes, as: UTF8.self) }

    /// ``json`` as UTF-8.
    var jsonBytes: [UInt8] {
        var writer = JSONWriter(reserving: 1024)
        writer.write(self)
        // The first byte of these characters; they occur only in strings.
        func isSpecial(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: "<") || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "&") || byte == 0xe2
        }
        let bytes = writer.bytes
        guard let first = bytes.firstIndex(where: isSpecial) else { return bytes }
        var result = Array(bytes[..<first])
        result.reserveCapacity(bytes.count + 64)
        var index = first
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "<"): result += "\\u003c".utf8
            case UInt8(ascii: ">"): result += "\\u003e".utf8
            case UInt8(ascii: "&"): result += "\\u0026".utf8
            case 0xe2 where index + 2 < bytes.count && bytes[index + 1] == 0x80 && bytes[index + 2] & 0xfe == 0xa8:
                result += (bytes[index + 2] == 0xa8 ? "\\u2028" : "\\u2029").utf8
                index += 2
            default: result.append(bytes[index])
            }
            index += 1
        }
        return result
    }

    /// An object with the members whose text is not empty.
    static func texts(_ members: [(String, String)]) -> [Member] {
        members.filter { !$0.1.isEmpty }.map { Member($0.0, .string($0.1)) }
    }
}
