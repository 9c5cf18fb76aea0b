/// Text quoted like Go's `encoding/json`, which also escapes characters with a meaning in HTML.
enum JSONText {
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{8}": result += "\\b"
            case "\u{c}": result += "\\f"
            case "<", ">", "&", "\u{2028}", "\u{2029}", "\0"..."\u{1f}":
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// Text marked as safe in HTML: `safeHtml` and `safeUrl`.
struct TemplateMarkup: TemplateObject, Equatable {
    enum Kind: Equatable, Sendable {
        case html
        case url
    }

    var kind: Kind
    var text: String

    var typeName: String { kind == .html ? "template.HTML" : "template.URL" }
    var collection: TemplateValue? { .string(text) }

    func member(_ name: String, _ arguments: [TemplateValue]) -> TemplateValue? { nil }
}
