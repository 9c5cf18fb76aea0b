/// The position in an HTML document of a template's output. Decides how the next value is escaped.
///
/// Follows the rules of Go's `html/template`. Go determines the contexts before the first expansion. This follows the
/// output, with the same result for every template that Go accepts.
struct HTMLContext: Equatable, Sendable {
    enum State: Equatable, Sendable {
        case text
        case rcdata
        case comment
        case tag
        case attributeName
        case afterName
        case beforeValue
        /// In the value of an attribute.
        case attribute(Attribute)
        case script
        case style
    }

    /// The kind of an attribute's value.
    enum Attribute: Equatable, Sendable {
        case plain
        case url
        case sourceSet
        case script
        case style
    }

    enum Delimiter: Equatable, Sendable {
        case none
        case double
        case single
        case spaceOrTagEnd
    }

    /// The part of a URL at the output's position.
    enum URLPart: Equatable, Sendable {
        case none
        case beforeQuery
        case query
    }

    /// Elements whose content is not HTML.
    enum Element: String, Equatable, Sendable {
        case none
        case script
        case style
        case textarea
        case title
    }

    var state = State.text
    var delimiter = Delimiter.none
    var urlPart = URLPart.none
    var element = Element.none
    private var attribute = Attribute.plain
    private var script = ScriptContext()
    private var style = StyleContext()

    init() {}

    /// Whether a document may end here.
    var mayEnd: Bool { state == .text }

    var description: String { "\(state)" }

    // MARK: Text of the template

    /// The part of `text`, a literal part of the template, that is printed. Comments are dropped.
    mutating func passed(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let before = self
            let start = index
            index = advance(bytes, from: index)
            switch before.state {
            case .text, .rcdata: Self.copyText(bytes[start..<index], endsInMarkup: state != before.state, &output)
            case .comment: break
            default: output += bytes[start..<index]
            }
            if index == start, state == before.state { index = copyRest(bytes, from: index, &output) }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private func copyRest(_ bytes: [UInt8], from index: Int, _ output: inout [UInt8]) -> Int {
        output += bytes[index...]
        return bytes.count
    }

    /// Text in which a `<` that starts no tag is escaped.
    private static func copyText(_ bytes: ArraySlice<UInt8>, endsInMarkup: Bool, _ output: inout [UInt8]) {
        var end = bytes.endIndex
        if endsInMarkup { end = bytes.lastIndex(of: UInt8(ascii: "<")) ?? end }
        for index in bytes.startIndex..<end {
            if bytes[index] == UInt8(ascii: "<"), !starts(bytes, index, "<!doctype") {
                output += Array("&lt;".utf8)
            } else {
                output.append(bytes[index])
            }
        }
        // A comment is dropped together with its opening.
        if !starts(bytes, end, "<!--") { output += bytes[end...] }
    }

    /// Reads the bytes from `index` on, at least up to the next change of the context.
    private mutating func advance(_ bytes: [UInt8], from index: Int) -> Int {
        switch state {
        case .text: advanceText(bytes, index)
        case .rcdata: advanceSpecial(bytes, index)
        case .comment: advanceComment(bytes, index)
        case .tag: advanceTag(bytes, index)
        case .attributeName: advanceName(bytes, index)
        case .afterName: advanceAfterName(bytes, index)
        case .beforeValue: advanceBeforeValue(bytes, index)
        case .attribute: advanceValue(bytes, index)
        case .script, .style: advanceSpecial(bytes, index)
        }
    }

    private mutating func advanceText(_ bytes: [UInt8], _ start: Int) -> Int {
        var index = start
        while let found = bytes[index...].firstIndex(of: UInt8(ascii: "<")) {
            if Self.starts(bytes[...], found, "<!--") {
                state = .comment
                return found + 4
            }
            var name = found + 1
            let closes = name < bytes.count && bytes[name] == UInt8(ascii: "/")
            if closes { name += 1 }
            if name < bytes.count, Self.isLetter(bytes[name]) {
                var end = name
                while end < bytes.count,
                    Self.isLetter(bytes[end]) || Self.isDigit(bytes[end]) || "-:".utf8.contains(bytes[end])
                {
                    end += 1
                }
                let tag = String(decoding: bytes[name..<end], as: UTF8.self).lowercased()
                element = closes ? .none : Element(rawValue: tag) ?? .none
                state = .tag
                return end
            }
            index = found + 1
        }
        return bytes.count
    }

    private mutating func advanceComment(_ bytes: [UInt8], _ start: Int) -> Int {
        var index = start
        while index < bytes.count {
            if Self.starts(bytes[...], index, "-->") {
                state = .text
                return index + 3
            }
            index += 1
        }
        return index
    }

    /// The content of `script`, `style`, `textarea` and `title`, up to the end tag.
    private mutating func advanceSpecial(_ bytes: [UInt8], _ start: Int) -> Int {
        var index = start
        let end = "</" + element.rawValue
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "<"), Self.starts(bytes[...], index, end) {
                step(bytes[start..<index])
                (state, element) = (.text, .none)
                (script, style) = (ScriptContext(), StyleContext())
                return index
            }
            index += 1
        }
        step(bytes[start...])
        return index
    }

    private mutating func step(_ bytes: ArraySlice<UInt8>) {
        if state == .script { script.passed(bytes) }
        if state == .style { style.passed(bytes) }
    }

    private mutating func advanceTag(_ bytes: [UInt8], _ start: Int) -> Int {
        let index = Self.skippingSpaces(bytes, start)
        guard index < bytes.count else { return index }
        if bytes[index] == UInt8(ascii: ">") {
            switch element {
            case .none: state = .text
            case .script: state = .script
            case .style: state = .style
            case .textarea, .title: state = .rcdata
            }
            return index + 1
        }
        let end = Self.endOfName(bytes, index)
        guard end > index else { return index + 1 }
        attribute = Self.kind(of: String(decoding: bytes[index..<end], as: UTF8.self).lowercased())
        state = end == bytes.count ? .attributeName : .afterName
        return end
    }

    private mutating func advanceName(_ bytes: [UInt8], _ start: Int) -> Int {
        let end = Self.endOfName(bytes, start)
        if end < bytes.count { state = .afterName }
        return end
    }

    private mutating func advanceAfterName(_ bytes: [UInt8], _ start: Int) -> Int {
        let index = Self.skippingSpaces(bytes, start)
        guard index < bytes.count else { return index }
        guard bytes[index] == UInt8(ascii: "=") else {
            state = .tag
            return index
        }
        state = .beforeValue
        return index + 1
    }

    private mutating func advanceBeforeValue(_ bytes: [UInt8], _ start: Int) -> Int {
        let index = Self.skippingSpaces(bytes, start)
        guard index < bytes.count else { return index }
        switch bytes[index] {
        case UInt8(ascii: "\""):
            beginValue(.double)
            return index + 1
        case UInt8(ascii: "'"):
            beginValue(.single)
            return index + 1
        default:
            beginValue(.spaceOrTagEnd)
            return index
        }
    }

    private mutating func beginValue(_ delimiter: Delimiter) {
        state = .attribute(attribute)
        self.delimiter = delimiter
        urlPart = .none
        (script, style) = (ScriptContext(), StyleContext())
    }

    private mutating func advanceValue(_ bytes: [UInt8], _ start: Int) -> Int {
        func ends(_ byte: UInt8) -> Bool {
            switch delimiter {
            case .double: byte == UInt8(ascii: "\"")
            case .single: byte == UInt8(ascii: "'")
            case .spaceOrTagEnd: Self.isSpace(byte) || byte == UInt8(ascii: ">")
            case .none: true
            }
        }
        let end = bytes[start...].firstIndex(where: ends) ?? bytes.count
        valuePassed(bytes[start..<end])
        guard end < bytes.count else { return end }
        let isQuoted = delimiter != .spaceOrTagEnd
        (state, delimiter, attribute) = (.tag, .none, .plain)
        return isQuoted ? end + 1 : end
    }

    private mutating func valuePassed(_ bytes: ArraySlice<UInt8>) {
        guard case .attribute(let kind) = state else { return }
        switch kind {
        case .url:
            if bytes.contains(where: { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }) {
                urlPart = .query
            } else if urlPart == .none, !bytes.allSatisfy(Self.isSpace) {
                urlPart = .beforeQuery
            }
        case .script: script.passed(bytes)
        case .style: style.passed(bytes)
        case .plain, .sourceSet: break
        }
    }

    // MARK: Values

    /// `value` as printed here. `functions` are those of its pipeline, which may have escaped it already.
    mutating func escaped(_ value: TemplateValue, by functions: Set<String>) -> String {
        switch state {
        case .tag, .afterName: state = .attributeName
        case .beforeValue: beginValue(.spaceOrTagEnd)
        default: break
        }
        let text = HTMLEscapes.text(of: value)
        let markup = HTMLEscapes.markup(of: value)
        switch state {
        case .text:
            return markup == .html || functions.contains("html") ? text : HTMLEscapes.html(text)
        case .rcdata:
            if functions.contains("html") { return text }
            return markup == .html ? HTMLEscapes.normalized(text) : HTMLEscapes.html(text)
        case .comment: return ""
        case .attributeName, .tag, .afterName, .beforeValue: return HTMLEscapes.name(text)
        case .script: return script.escaped(value)
        case .style: return style.escaped(text)
        case .attribute(let kind): return inValue(escaped(value, text, markup, kind, functions), markup, kind)
        }
    }

    private mutating func escaped(
        _ value: TemplateValue, _ text: String, _ markup: TemplateMarkup.Kind?, _ kind: Attribute,
        _ functions: Set<String>
    ) -> String {
        switch kind {
        case .plain: return text
        case .script: return script.escaped(value)
        case .style: return style.escaped(text)
        case .sourceSet: return HTMLEscapes.sourceSet(text, isSafe: markup == .url)
        case .url:
            if urlPart == .query {
                return functions.contains("urlquery") ? text : HTMLEscapes.url(text, normalizes: markup == .url)
            }
            let isSafe = urlPart == .beforeQuery || markup == .url || HTMLEscapes.isSafeURL(text)
            return HTMLEscapes.url(isSafe ? text : "#" + HTMLEscapes.unsafe, normalizes: true)
        }
    }

    /// Quotes a text in the value of an attribute.
    private func inValue(_ text: String, _ markup: TemplateMarkup.Kind?, _ kind: Attribute) -> String {
        let isMarkup = markup == .html && kind == .plain
        let plain = isMarkup ? HTMLEscapes.withoutTags(text) : text
        if delimiter == .spaceOrTagEnd { return HTMLEscapes.withoutSpaces(plain, normalizes: isMarkup) }
        return isMarkup ? HTMLEscapes.normalized(plain) : HTMLEscapes.html(plain)
    }

    // MARK: Bytes

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) && byte != 0x0b }
    static func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) }
    static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    /// Whether `text`, in lower case, starts at `index`.
    static func starts(_ bytes: ArraySlice<UInt8>, _ index: Int, _ text: String) -> Bool {
        let wanted = Array(text.utf8)
        guard index + wanted.count <= bytes.endIndex else { return false }
        return (0..<wanted.count).allSatisfy { offset in
            let byte = bytes[index + offset]
            return byte == wanted[offset] || isLetter(byte) && byte | 0x20 == wanted[offset]
        }
    }

    private static func skippingSpaces(_ bytes: [UInt8], _ start: Int) -> Int {
        bytes[start...].firstIndex { !isSpace($0) } ?? bytes.count
    }

    private static func endOfName(_ bytes: [UInt8], _ start: Int) -> Int {
        bytes[start...].firstIndex { isSpace($0) || $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ">") } ?? bytes.count
    }

    private static let urlAttributes: Set<String> = [
        "action", "archive", "background", "cite", "classid", "codebase", "data", "formaction", "href", "icon",
        "longdesc", "manifest", "poster", "profile", "src", "usemap", "xmlns",
    ]

    private static func kind(of name: String) -> Attribute {
        var name = name
        if name.hasPrefix("data-") {
            name.removeFirst(5)
        } else if let colon = name.firstIndex(of: ":") {
            if name[..<colon] == "xmlns" { return .url }
            name = String(name[name.index(after: colon)...])
        }
        if name == "srcset" { return .sourceSet }
        if name == "style" { return .style }
        if urlAttributes.contains(name) { return .url }
        if name.hasPrefix("on") { return .script }
        return name.contains("src") || name.contains("uri") || name.contains("url") ? .url : .plain
    }
}
