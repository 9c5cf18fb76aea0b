extension YAMLNode {
    /// The node as YAML text in block style, ending with a line feed. Comments, anchors and the original style are
    /// lost.
    public var blockText: String {
        var text = ""
        switch content {
        case .scalar: text = "\(inlineText)\n"
        case .sequence(let elements) where elements.isEmpty: text = "[]\n"
        case .mapping(let members) where members.isEmpty: text = "{}\n"
        case .sequence, .mapping: write(indent: 0, to: &text)
        }
        return text
    }

    /// Writes the lines of a list or mapping that is not empty. The caller has already written the first line's
    /// indentation.
    private func write(indent: Int, to text: inout String) {
        let margin = String(repeating: " ", count: indent)
        var isFirst = true
        func begin(_ text: inout String) {
            if !isFirst { text += margin }
            isFirst = false
        }
        for element in elements ?? [] {
            begin(&text)
            text += "- "
            if element.isNested {
                element.write(indent: indent + 2, to: &text)
            } else {
                text += "\(element.inlineText)\n"
            }
        }
        for member in members ?? [] {
            begin(&text)
            text += "\(member.key.inlineText):"
            if member.value.isNested {
                text += "\n\(margin)  "
                member.value.write(indent: indent + 2, to: &text)
            } else {
                text += " \(member.value.inlineText)\n"
            }
        }
    }

    /// Whether the node is written on separate lines.
    private var isNested: Bool {
        switch content {
        case .scalar: false
        case .sequence(let elements): !elements.isEmpty
        case .mapping(let members): !members.isEmpty
        }
    }

    private var inlineText: String {
        switch content {
        case .sequence: "[]"
        case .mapping: "{}"
        case .scalar("", isPlain: true): "null"
        case .scalar(let text, isPlain: true) where Self.staysPlain(text): text
        case .scalar(let text, _): Self.quoted(text)
        }
    }

    /// Whether `text` can be written without quotes. `---` and `...` at the start of a line are document marks. A dash
    /// or a question mark alone, which lists in brackets may contain, starts an entry.
    private static func staysPlain(_ text: String) -> Bool {
        if text == "-" || text == "?" { return false }
        return !text.hasPrefix("---") && !text.hasPrefix("...") && !text.unicodeScalars.contains(where: needsEscape)
    }

    /// Whether a YAML reader would reject, drop or fold the character.
    private static func needsEscape(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "\u{0}"..."\u{1f}", "\u{7f}"..."\u{9f}", "\u{2028}", "\u{2029}", "\u{feff}", "\u{fffe}", "\u{ffff}": true
        default: false
        }
    }

    /// `text` in double quotes.
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case "\r": quoted += "\\r"
            case _ where needsEscape(scalar):
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
