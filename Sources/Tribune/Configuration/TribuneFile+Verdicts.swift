internal import YAML

extension TribuneFile {
    /// At most so many verdicts may be configured.
    private static let verdictLimit = 500

    /// The names in the section `verdicts`.
    static func verdicts(_ fields: inout FieldReader) throws(YAMLError) -> [String] {
        var names: [String] = []
        for (index, node) in try fields.list("verdicts").enumerated() {
            var inner = try FieldReader(node, path: "verdicts[\(index)]", file: fields.file)
            let name = try inner.text("name")
            // It is a part of addresses and of a file's name.
            let isName = name.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "._-".utf8.contains(byte)
            }
            guard isName, (1...100).contains(name.utf8.count), name.utf8.first != UInt8(ascii: ".") else {
                throw inner.fault(
                    "expected 1 to 100 letters, digits, dots, - and _, not beginning with a dot",
                    at: inner.optional("name"), field: "name")
            }
            guard !names.contains(name) else {
                throw inner.fault(
                    "another verdict is named \"\(name)\"", at: inner.optional("name"), field: "name")
            }
            names.append(name)
            try inner.finish()
        }
        guard names.count <= verdictLimit else {
            throw fields.fault(
                "at most \(verdictLimit) verdicts are possible", at: fields.optional("verdicts"), field: "verdicts")
        }
        return names
    }
}
