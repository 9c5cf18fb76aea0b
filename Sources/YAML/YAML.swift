internal import CYAML

/// Reads YAML files with libyaml.
public enum YAML {
    /// Limits for a file.
    private enum Limit {
        static let bytes = 64 << 20
        static let depth = 100
        static let nodes = 4_000_000
    }

    /// Parses every document in `text`. `file` is used only in errors.
    ///
    /// Aliases are resolved by copying, `<<` merges mappings, and a duplicate key is an error. Deep nesting, more than
    /// four million nodes (alias bombs) and texts over 64 MiB are rejected.
    public static func parse(_ text: String, file: String = "") throws(YAMLError) -> [YAMLNode] {
        try parse(Array(text.utf8), file: file)
    }

    /// Parses every document in `bytes`, like ``parse(_:file:)-(String,_)``.
    public static func parse(_ bytes: [UInt8], file: String = "") throws(YAMLError) -> [YAMLNode] {
        guard bytes.count <= Limit.bytes else {
            throw YAMLError(file: file, line: 0, column: 0, field: "", message: "the file is larger than 64 MiB")
        }
        var parser = Parser(file: file)
        guard unsafe yaml_parser_initialize(&parser.raw) == 1 else {
            throw YAMLError(file: file, line: 0, column: 0, field: "", message: "out of memory")
        }
        defer { unsafe yaml_parser_delete(&parser.raw) }
        let result: Result<[YAMLNode], YAMLError> = unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe yaml_parser_set_input_string(&parser.raw, buffer.baseAddress, buffer.count)
            do throws(YAMLError) {
                return .success(try parser.documents())
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// The only document in `text`; `nil` if it has none. A second one, of which readers would disagree whether it
    /// counts, is an error at its first line.
    public static func document(_ text: String, file: String = "") throws(YAMLError) -> YAMLNode? {
        try document(Array(text.utf8), file: file)
    }

    /// The only document in `bytes`, like ``document(_:file:)-(String,_)``.
    public static func document(_ bytes: [UInt8], file: String = "") throws(YAMLError) -> YAMLNode? {
        let documents = try parse(bytes, file: file)
        guard documents.count > 1 else { return documents.first }
        throw YAMLError(
            file: file, line: documents[1].line, column: documents[1].column, field: "",
            message: "expected one document, found \(documents.count)")
    }

    /// One parse of one text. `raw` points into itself, so a parser must not be copied after initialisation.
    @safe private struct Parser: ~Copyable {
        var raw = unsafe yaml_parser_t()
        let file: String
        var anchors: [String: YAMLNode] = [:]
        var nodes = 0

        init(file: String) {
            self.file = file
        }

        mutating func documents() throws(YAMLError) -> [YAMLNode] {
            var documents: [YAMLNode] = []
            while true {
                var event = try unsafe next()
                defer { unsafe yaml_event_delete(&event) }
                switch unsafe event.type {
                case YAML_STREAM_END_EVENT: return documents
                case YAML_STREAM_START_EVENT, YAML_DOCUMENT_START_EVENT, YAML_DOCUMENT_END_EVENT: continue
                default:
                    anchors.removeAll()
                    documents.append(try unsafe node(from: &event, depth: 0))
                }
            }
        }

        private mutating func next() throws(YAMLError) -> yaml_event_t {
            var event = unsafe yaml_event_t()
            guard unsafe yaml_parser_parse(&raw, &event) == 1 else {
                let problem = unsafe raw.problem.map { unsafe String(cString: $0) } ?? "not YAML"
                let context = unsafe raw.context.map { unsafe String(cString: $0) + ": " } ?? ""
                throw unsafe YAMLError(
                    file: file, line: Int(raw.problem_mark.line) + 1, column: Int(raw.problem_mark.column) + 1,
                    field: "", message: context + problem)
            }
            return unsafe event
        }

        private mutating func node(from event: inout yaml_event_t, depth: Int) throws(YAMLError) -> YAMLNode {
            let line = unsafe Int(event.start_mark.line) + 1
            let column = unsafe Int(event.start_mark.column) + 1
            func fault(_ message: String) -> YAMLError {
                YAMLError(file: file, line: line, column: column, field: "", message: message)
            }
            nodes += 1
            if depth > Limit.depth { throw fault("nested deeper than \(Limit.depth) levels") }
            if nodes > Limit.nodes { throw fault("more than \(Limit.nodes) nodes") }
            var anchor: String?
            let content: YAMLNode.Content
            switch unsafe event.type {
            case YAML_ALIAS_EVENT:
                let name = unsafe Self.string(event.data.alias.anchor)
                guard var target = anchors[name] else { throw fault("unknown anchor \"\(name)\"") }
                nodes += Self.size(target)
                target.line = line
                target.column = column
                return target
            case YAML_SCALAR_EVENT:
                let scalar = unsafe event.data.scalar
                anchor = unsafe scalar.anchor.map { unsafe Self.string($0) }
                let text = unsafe String(
                    decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
                content = unsafe .scalar(text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
            case YAML_SEQUENCE_START_EVENT:
                anchor = unsafe event.data.sequence_start.anchor.map { unsafe Self.string($0) }
                content = .sequence(try sequence(depth: depth))
            case YAML_MAPPING_START_EVENT:
                anchor = unsafe event.data.mapping_start.anchor.map { unsafe Self.string($0) }
                content = .mapping(try mapping(depth: depth))
            default:
                throw fault("unexpected structure")
            }
            let node = YAMLNode(content: content, line: line, column: column)
            if let anchor { anchors[anchor] = node }
            return node
        }

        private mutating func sequence(depth: Int) throws(YAMLError) -> [YAMLNode] {
            var elements: [YAMLNode] = []
            while true {
                var event = try unsafe next()
                defer { unsafe yaml_event_delete(&event) }
                if unsafe event.type == YAML_SEQUENCE_END_EVENT { return elements }
                elements.append(try unsafe node(from: &event, depth: depth + 1))
            }
        }

        private mutating func mapping(depth: Int) throws(YAMLError) -> [YAMLNode.Member] {
            var members: [YAMLNode.Member] = []
            var known: Set<String> = []
            var merged: [YAMLNode.Member] = []
            while true {
                var event = try unsafe next()
                defer { unsafe yaml_event_delete(&event) }
                if unsafe event.type == YAML_MAPPING_END_EVENT { break }
                let key = try unsafe node(from: &event, depth: depth + 1)
                guard let name = key.text else {
                    throw YAMLError(
                        file: file, line: key.line, column: key.column, field: "",
                        message: "a key must be a scalar, this is \(key.kind)")
                }
                var valueEvent = try unsafe next()
                defer { unsafe yaml_event_delete(&valueEvent) }
                let value = try unsafe node(from: &valueEvent, depth: depth + 1)
                if name == "<<" && key.content == .scalar("<<", isPlain: true) {
                    merged += value.members ?? value.elements?.flatMap { $0.members ?? [] } ?? []
                } else if known.insert(name).inserted {
                    members.append(YAMLNode.Member(key: key, value: value))
                } else {
                    throw YAMLError(
                        file: file, line: key.line, column: key.column, field: "",
                        message: "mapping key \"\(name)\" already defined")
                }
            }
            for member in merged where known.insert(member.key.text ?? "").inserted { members.append(member) }
            return members
        }

        private static func string(_ bytes: UnsafePointer<yaml_char_t>?) -> String {
            guard let bytes = unsafe bytes else { return "" }
            return unsafe String(cString: bytes)
        }

        private static func size(_ node: YAMLNode) -> Int {
            switch node.content {
            case .scalar: 1
            case .sequence(let elements): elements.reduce(1) { $0 + size($1) }
            case .mapping(let members): members.reduce(1) { $0 + 1 + size($1.value) }
            }
        }
    }
}
