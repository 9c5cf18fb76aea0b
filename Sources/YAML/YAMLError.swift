/// An error in a file with its position: `alerts.yml:12:5: groups[0].rules[2].for: not a duration: "5x"`.
public struct YAMLError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file as the user named it; empty for other text.
    public var file: String
    /// Line from 1; 0 if unknown.
    public var line: Int
    /// Column from 1.
    public var column: Int
    /// The path of the field, such as `groups[0].rules[2].for`; may be empty.
    public var field: String
    /// The error message.
    public var message: String
    /// Other errors found before the reading ended.
    public var others: [YAMLError] = []

    /// An error at a position in a file.
    public init(file: String, line: Int, column: Int, field: String, message: String) {
        self.file = file
        self.line = line
        self.column = column
        self.field = field
        self.message = message
    }

    /// This error and the others, each once, by position.
    public var all: [YAMLError] {
        var own = self
        own.others = []
        var all: [YAMLError] = []
        for error in [own] + others.flatMap(\.all) where !all.contains(error) { all.append(error) }
        return all.sorted { ($0.line, $0.column) < ($1.line, $1.column) }
    }

    /// `file:line:column: field: message`, without the unknown parts.
    public var description: String {
        var text = file
        if line > 0 { text += text.isEmpty ? "\(line):\(column)" : ":\(line):\(column)" }
        if !text.isEmpty { text += ": " }
        if !field.isEmpty { text += "\(field): " }
        return text + message
    }
}
