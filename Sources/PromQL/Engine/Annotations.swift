/// Warnings and infos about a result: a set keyed by text. Of two with the same text, the later position is kept.
public struct Annotations: Equatable, Sendable {
    /// The severity of an annotation.
    public enum Level: String, Equatable, Sendable {
        case warning
        case info
    }

    /// One annotation.
    public struct Item: Equatable, Sendable {
        /// The severity.
        public var level: Level
        /// The text, without prefix, details and position.
        public var text: String
        /// The part of the expression that it refers to.
        public var range: SourceRange
        /// The details after the text.
        var detail = Detail.none
    }

    /// In order of first appearance.
    public private(set) var items: [Item] = []
    /// The index in `items` of the annotation with a level and text.
    private var places: [Key: Int] = [:]

    private struct Key: Hashable {
        var level: Level
        var text: String
    }

    /// No annotations.
    public init() {}

    /// Whether there are no annotations.
    public var isEmpty: Bool { items.isEmpty }

    /// Adds an annotation about `range`.
    public mutating func insert(_ level: Level, _ text: String, at range: SourceRange) {
        insert(level, text, detail: .none, at: range)
    }

    mutating func insert(_ level: Level, _ text: String, detail: Detail, at range: SourceRange) {
        if let index = places[Key(level: level, text: text)] {
            items[index].range = range
            items[index].detail = items[index].detail.joined(with: detail)
        } else {
            places[Key(level: level, text: text)] = items.count
            items.append(Item(level: level, text: text, range: range, detail: detail))
        }
    }

    /// Adds all annotations of `other`.
    public mutating func formUnion(_ other: Annotations) {
        for item in other.items { insert(item.level, item.text, detail: item.detail, at: item.range) }
    }

    /// The warnings as the HTTP API shows them, with positions in `query`.
    public func warnings(in query: String) -> [String] { texts(.warning, in: query) }

    /// The infos as the HTTP API shows them, with positions in `query`.
    public func infos(in query: String) -> [String] { texts(.info, in: query) }

    private func texts(_ level: Level, in query: String) -> [String] {
        items.filter { $0.level == level }.map { item in
            let (line, column) = ParseError.position(of: item.range.start, in: query)
            return "PromQL \(level.rawValue): \(item.text)\(item.detail.text) (\(line):\(column))"
        }
    }
}
