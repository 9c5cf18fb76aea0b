internal import Glibc
internal import MetricModel
internal import Runtime

/// Encodings of text in mails.
enum MailText {
    /// `x-team` as `X-Team`.
    static func canonicalName(_ name: String) -> String {
        name.split(separator: "-", omittingEmptySubsequences: false)
            .map { $0.prefix(1).uppercased() + $0.dropFirst().lowercased() }.joined(separator: "-")
    }

    /// The text of a header field. If it is not plain ASCII, as encoded words (RFC 2047).
    static func encodedWord(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f || $0 == 0x09 }
        if isPlain { return text }
        let digits = Array("0123456789ABCDEF".utf8)
        var words: [String] = []
        var word = ""
        for scalar in text.unicodeScalars {
            var piece = ""
            for byte in String(scalar).utf8 {
                switch byte {
                case 0x20: piece += "_"
                case 0x21...0x7e where !"=?_".utf8.contains(byte): piece += String(UnicodeScalar(byte))
                default:
                    piece += "=\(UnicodeScalar(digits[Int(byte >> 4)]))\(UnicodeScalar(digits[Int(byte & 15)]))"
                }
            }
            // An encoded word has at most 75 characters.
            if word.utf8.count + piece.utf8.count > 63 {
                words.append(word)
                word = ""
            }
            word += piece
        }
        words.append(word)
        return words.map { "=?utf-8?q?\($0)?=" }.joined(separator: "\r\n ")
    }

    /// A body as quoted-printable (RFC 2045, section 6.7), with CRLF line ends.
    static func quotedPrintable(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        func encoded(_ byte: UInt8) -> [UInt8] { [UInt8(ascii: "="), digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        let lines = text.replacing("\r\n", with: "\n").split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            if index > 0 { result += [0x0d, 0x0a] }
            let bytes = Array(line.utf8)
            var column = 0
            for (place, byte) in bytes.enumerated() {
                let isBlank = byte == 0x20 || byte == 0x09
                let isPlain = (0x21...0x7e).contains(byte) && byte != UInt8(ascii: "=") || isBlank
                let piece = isPlain && !(isBlank && place == bytes.count - 1) ? [byte] : encoded(byte)
                if column + piece.count > 75 {
                    result += [UInt8(ascii: "="), 0x0d, 0x0a]
                    column = 0
                }
                result += piece
                column += piece.count
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The addresses in a list such as `Ops <ops@x.example>, b@x.example`.
    static func addresses(_ list: String, _ field: String) throws(DeliveryFailure) -> [String] {
        var addresses: [String] = []
        for entry in entries(list) {
            var address = entry
            if let open = entry.lastIndex(of: "<") {
                guard let close = entry[open...].firstIndex(of: ">") else { throw fault(entry, field) }
                address = String(entry[entry.index(after: open)..<close])
            }
            address = trimmed(address)
            let parts = address.split(separator: "@", omittingEmptySubsequences: false)
            guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }), !address.contains(where: \.isWhitespace) else {
                throw fault(entry, field)
            }
            addresses.append(address)
        }
        guard !addresses.isEmpty else { throw fault(list, field) }
        return addresses
    }

    private static func fault(_ text: String, _ field: String) -> DeliveryFailure {
        DeliveryFailure("parse '\(field)' addresses: not a mail address: \"\(text)\"", isRetryable: false)
    }

    /// Splits at commas that are neither quoted nor in angle brackets.
    private static func entries(_ list: String) -> [String] {
        var entries: [String] = []
        var entry = ""
        var (isQuoted, isInBrackets) = (false, false)
        for character in list {
            switch character {
            case "\"": isQuoted.toggle()
            case "<" where !isQuoted: isInBrackets = true
            case ">" where !isQuoted: isInBrackets = false
            case "," where !isQuoted && !isInBrackets:
                entries.append(entry)
                entry = ""
                continue
            default: break
            }
            entry.append(character)
        }
        entries.append(entry)
        return entries.map(trimmed).filter { !$0.isEmpty }
    }

    private static func trimmed(_ text: String) -> String {
        String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }

    /// `Sat, 28 Nov 2026 21:05:00 +0000`.
    static func date(_ milliseconds: Int64) -> String {
        let days = milliseconds.quotientAndRemainder(dividingBy: 86_400_000)
        let names = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let stamp = RFC3339.text(milliseconds: milliseconds / 1000 * 1000)
        let month = Int(stamp.dropFirst(5).prefix(2)) ?? 1
        return "\(names[Int(days.quotient % 7)]), \(stamp.dropFirst(8).prefix(2)) \(months[month - 1]) "
            + "\(stamp.prefix(4)) \(stamp.dropFirst(11).prefix(8)) +0000"
    }

    /// The name of this machine.
    static let hostName: String = {
        var buffer = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost.localdomain" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()
}
