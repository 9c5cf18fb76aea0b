internal import Rollback
internal import YAML

extension TribuneFile {
    /// At most so many verdicts may be configured.
    private static let verdictLimit = 500

    /// The names in the section `verdicts`.
    static func verdicts(_ fields: inout FieldReader) throws(YAMLError) -> [String] {
        var names: [String] = []
        for (index, node) in try fields.list("verdicts").enumerated() {
            var inner = try FieldReader(node, path: "verdicts[\(index)]", file: fields.file)
            // It is a part of addresses and of a file's name.
            let name = try inner.name("name")
            guard !name.hasPrefix(".") else {
                throw inner.fault("a name must not begin with a dot", at: inner.optional("name"), field: "name")
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
