public import JSON
public import MetricModel
internal import Runtime

extension JSONWriter {
    /// Labels as an object, sorted by name.
    public mutating func labels(_ labels: Labels) {
        beginObject()
        for pair in labels.pairs { member(pair.name, pair.value) }
        endObject()
    }

    /// A member whose value is a text.
    public mutating func member(_ name: String, _ text: String) {
        self.name(name)
        string(text)
    }

    /// A member whose value is a number.
    public mutating func member(_ name: String, _ value: Double) {
        self.name(name)
        number(value)
    }

    /// A member whose value is an integer.
    public mutating func member(_ name: String, _ value: some BinaryInteger) {
        self.name(name)
        integer(value)
    }

    /// A member whose value is `true` or `false`.
    public mutating func member(_ name: String, _ value: Bool) {
        self.name(name)
        bool(value)
    }

    /// A member whose value is a set of labels.
    public mutating func member(_ name: String, _ value: Labels) {
        self.name(name)
        labels(value)
    }

    /// A member whose value is a time; without a time, Go's zero time.
    public mutating func member(_ name: String, _ time: Timestamp?) {
        member(name, time.map { RFC3339.text(milliseconds: $0.milliseconds) } ?? "0001-01-01T00:00:00Z")
    }

    /// A member whose value is a text or `null`.
    public mutating func member(_ name: String, orNull text: String?) {
        self.name(name)
        if let text { string(text) } else { null() }
    }

    /// A member whose value is a list of texts.
    public mutating func member(_ name: String, _ texts: some Sequence<String>) {
        self.name(name)
        strings(texts)
    }

    /// A list of texts.
    public mutating func strings(_ texts: some Sequence<String>) {
        beginArray()
        for text in texts { string(text) }
        endArray()
    }

    /// A list with one element per element of `elements`.
    @inlinable
    public mutating func array<Element>(
        _ elements: some Sequence<Element>, _ write: (inout JSONWriter, Element) -> Void
    ) {
        beginArray()
        for element in elements { write(&self, element) }
        endArray()
    }

    /// An object with the members that `write` writes.
    @inlinable
    public mutating func object(_ write: (inout JSONWriter) -> Void) {
        beginObject()
        write(&self)
        endObject()
    }
}
