/// An element of an XML document: its name, elements and text. A value.
///
/// Attributes, comments and processing instructions are ignored. Document types, and therefore custom entities, are
/// refused.
struct XMLElement: Equatable {
    var name: String
    var children: [XMLElement] = []
    var text = ""

    /// The text of the first element named `name`; empty if there is none.
    subscript(name: String) -> String { child(name).text }

    /// The first element named `name`; an empty one if there is none.
    func child(_ name: String) -> XMLElement { children.first { $0.name == name } ?? XMLElement(name: name) }

    /// The elements `item` of the first element named `name`, AWS's format of lists.
    func items(_ name: String) -> [XMLElement] { child(name).children.filter { $0.name == "item" } }
}

/// Why bytes are not an XML document.
struct XMLError: Error, Equatable, CustomStringConvertible {
    let description: String
}

extension XMLElement {
    /// Reads a document; the result is its root.
    init(parsing bytes: [UInt8]) throws(XMLError) {
        var reader = XMLReader(bytes: bytes)
        self = try reader.document()
    }
}

/// Reads the subset of XML used in responses of APIs.
private struct XMLReader {
    private static let maximumDepth = 64

    let bytes: [UInt8]
    private var position = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func document() throws(XMLError) -> XMLElement {
        var open: [XMLElement] = []
        while position < bytes.count {
            if bytes[position] != UInt8(ascii: "<") {
                let text = try text()
                if open.isEmpty {
                    guard text.allSatisfy(\.isWhitespace) else { throw fault("text outside of the root") }
                } else {
                    open[open.count - 1].text += text
                }
                continue
            }
            if skip("<?", to: "?>") || skip("<!--", to: "-->") { continue }
            if accept("<!") { throw fault("a document type") }
            if accept("</") {
                let name = name()
                skipBlanks()
                guard accept(">"), let last = open.popLast(), last.name == name else {
                    throw fault("an end of \(name) without its beginning")
                }
                guard !open.isEmpty else { return last.trimmed }
                open[open.count - 1].children.append(last.trimmed)
                continue
            }
            position += 1
            let name = name()
            guard !name.isEmpty, open.count < Self.maximumDepth else { throw fault("not a name, or too deep") }
            let isEmpty = try skipAttributes()
            guard isEmpty else {
                open.append(XMLElement(name: name))
                continue
            }
            guard !open.isEmpty else { return XMLElement(name: name) }
            open[open.count - 1].children.append(XMLElement(name: name))
        }
        throw fault("the document ends too early")
    }

    private func fault(_ words: String) -> XMLError { XMLError(description: "no XML: \(words) at byte \(position)") }

    private mutating func accept(_ text: StaticString) -> Bool {
        let wanted = Array("\(text)".utf8)
        guard bytes[position...].starts(with: wanted) else { return false }
        position += wanted.count
        return true
    }

    private mutating func skip(_ start: StaticString, to end: StaticString) -> Bool {
        guard accept(start) else { return false }
        while position < bytes.count, !accept(end) { position += 1 }
        return true
    }

    private mutating func skipBlanks() {
        while position < bytes.count, bytes[position] <= 0x20 { position += 1 }
    }

    private mutating func name() -> String {
        let start = position
        while position < bytes.count, bytes[position] > 0x20, !"/>=<".utf8.contains(bytes[position]) { position += 1 }
        // Namespace prefixes are ignored.
        return String(decoding: bytes[start..<position], as: UTF8.self).split(separator: ":").last.map(String.init)
            ?? ""
    }

    /// Reads up to the end of a start tag. Returns whether the element ends with it.
    private mutating func skipAttributes() throws(XMLError) -> Bool {
        while true {
            skipBlanks()
            if accept("/>") { return true }
            if accept(">") { return false }
            guard !name().isEmpty else { throw fault("not an attribute") }
            skipBlanks()
            guard accept("="), position < bytes.count else { throw fault("an attribute without value") }
            skipBlanks()
            guard position < bytes.count, bytes[position] == 0x22 || bytes[position] == 0x27 else {
                throw fault("a value without quotes")
            }
            let quote = bytes[position]
            guard let end = bytes[(position + 1)...].firstIndex(of: quote) else { throw fault("a value without end") }
            position = end + 1
        }
    }

    private mutating func text() throws(XMLError) -> String {
        var result: [UInt8] = []
        while position < bytes.count, bytes[position] != UInt8(ascii: "<") {
            guard bytes[position] == UInt8(ascii: "&") else {
                result.append(bytes[position])
                position += 1
                continue
            }
            guard let end = bytes[position...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else {
                throw fault("an entity without end")
            }
            let name = String(decoding: bytes[(position + 1)..<end], as: UTF8.self)
            guard let scalar = Self.scalar(name) else { throw fault("an unknown entity") }
            result += String(scalar).utf8
            position = end + 1
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func scalar(_ name: String) -> Unicode.Scalar? {
        switch name {
        case "lt": "<"
        case "gt": ">"
        case "amp": "&"
        case "quot": "\""
        case "apos": "'"
        case _ where name.hasPrefix("#x"): UInt32(name.dropFirst(2), radix: 16).flatMap { Unicode.Scalar($0) }
        case _ where name.hasPrefix("#"): UInt32(name.dropFirst()).flatMap { Unicode.Scalar($0) }
        default: nil
        }
    }
}

extension XMLElement {
    /// Without the whitespace between elements.
    fileprivate var trimmed: XMLElement {
        guard !children.isEmpty else { return self }
        var element = self
        element.text = ""
        return element
    }
}
