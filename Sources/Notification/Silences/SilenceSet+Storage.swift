public import JSON
internal import MetricModel

/// The file format of silences.
extension SilenceSet {
    /// All silences as JSON, sorted by id.
    var stored: JSON {
        [
            "version": 1,
            "silences": .array(
                entries.values.sorted { $0.silence.id < $1.silence.id }.map(\.stored)),
        ]
    }

    /// Reads the output of `stored`.
    init(stored json: JSON, limits: Limits) throws(JSONFieldError) {
        var fields = try JSONFields(json)
        guard fields.optional("version")?.integer == 1 else { throw fields.fault("version", "expected 1") }
        var entries: [Entry] = []
        for (index, element) in try fields.list("silences", limit: 1_000_000).enumerated() {
            entries.append(try Entry(stored: element, path: "silences[\(index)]"))
        }
        try fields.finish()
        self.init(entries, limits: limits)
    }
}

extension SilenceSet.Entry {
    /// The silence as JSON, with whether its end was reported.
    var stored: JSON { .object((silence.stored.members ?? []) + [.init("ended", .bool(isEndKnown))]) }

    /// Reads what ``stored`` gave.
    init(stored json: JSON, path: String) throws(JSONFieldError) {
        var fields = try JSONFields(json, path: path)
        var matchers: [LabelMatcher] = []
        for (index, element) in try fields.list("matchers", limit: 100_000).enumerated() {
            let place = "matchers[\(index)]"
            guard let name = element["name"]?.text, let value = element["value"]?.text,
                let operation = element["operation"]?.text.flatMap(Matcher.Operation.init)
            else { throw fields.fault(place, "expected name, operation and value") }
            do throws(LabelMatcherError) {
                matchers.append(try LabelMatcher(Matcher(name, operation, value)))
            } catch {
                throw fields.fault(place, error.reason)
            }
        }
        func time(_ name: String) throws(JSONFieldError) -> Timestamp {
            guard let milliseconds = fields.optional(name)?.integer else {
                throw fields.fault(name, "expected milliseconds since the epoch")
            }
            return Timestamp(milliseconds: milliseconds)
        }
        silence = Silence(
            id: try fields.text("id"), matchers: matchers, startsAt: try time("starts_at"),
            endsAt: try time("ends_at"), createdBy: fields.optional("created_by")?.text ?? "",
            comment: fields.optional("comment")?.text ?? "")
        silence.updatedAt = try time("updated_at")
        isEndKnown = try fields.optionalFlag("ended") ?? false
        try fields.finish()
    }
}

extension Silence {
    /// The silence as JSON, for the file and the history.
    public var stored: JSON {
        [
            "id": .string(id),
            "matchers": .array(
                matchers.map(\.matcher).map {
                    [
                        "name": .string($0.name), "operation": .string($0.operation.rawValue),
                        "value": .string($0.value),
                    ]
                }),
            "starts_at": .integer(startsAt.milliseconds), "ends_at": .integer(endsAt.milliseconds),
            "updated_at": .integer(updatedAt.milliseconds), "created_by": .string(createdBy),
            "comment": .string(comment),
        ]
    }
}
