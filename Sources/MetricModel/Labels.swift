/// One label of a series: a name and a value.
public struct Label: Hashable, Comparable, Sendable {
    /// The label's name; any UTF-8 text.
    public var name: String
    /// The label's value; any UTF-8 text. An empty value means that the label is absent.
    public var value: String

    /// A label named `name`.
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    /// Bytewise equality.
    public static func == (left: Label, right: Label) -> Bool {
        ByteOrder.equal(left.name, right.name) && ByteOrder.equal(left.value, right.value)
    }

    /// Bytewise by name, then by value.
    public static func < (left: Label, right: Label) -> Bool {
        ByteOrder.equal(left.name, right.name)
            ? ByteOrder.precedes(left.value, right.value) : ByteOrder.precedes(left.name, right.name)
    }

    /// Hashes the bytes, consistent with `==`.
    public func hash(into hasher: inout Hasher) {
        Label.hash(name, into: &hasher)
        Label.hash(value, into: &hasher)
    }

    private static func hash(_ text: String, into hasher: inout Hasher) {
        unsafe text.utf8.withContiguousStorageIfAvailable { unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
            ?? text.utf8.forEach { hasher.combine($0) }
        hasher.combine(0xff as UInt8)
    }
}

/// The identity of a series: labels sorted by name, each name once, no empty values.
///
/// A value without references to the store, for APIs. Hot paths use series ids instead.
public struct Labels: Hashable, Sendable {
    /// Sorted by name.
    public private(set) var pairs: [Label]

    /// The reserved label for the metric name.
    public static let metricName = "__name__"
    /// The empty label set.
    public static let empty = Labels(sorted: [])

    /// Sorts `pairs` and drops empty values. Of duplicate names, the last one is used.
    public init(_ pairs: some Sequence<Label>) {
        var ordered = Array(pairs)
        if !Self.areInOrder(ordered) { Self.sort(&ordered) }
        self.pairs = ordered
    }

    /// Whether the names ascend and no value is empty.
    private static func areInOrder(_ pairs: [Label]) -> Bool {
        for index in pairs.indices {
            if pairs[index].value.isEmpty { return false }
            if index > 0, !ByteOrder.precedes(pairs[index - 1].name, pairs[index].name) { return false }
        }
        return true
    }

    private static func sort(_ pairs: inout [Label]) {
        // Stable, so that the last one of equal names is known. Most label sets are small.
        if pairs.count <= 32 {
            for end in pairs.indices.dropFirst() {
                var index = end
                while index > 0, ByteOrder.precedes(pairs[index].name, pairs[index - 1].name) {
                    pairs.swapAt(index, index - 1)
                    index -= 1
                }
            }
        } else {
            pairs = pairs.enumerated().sorted {
                ByteOrder.equal($0.element.name, $1.element.name)
                    ? $0.offset < $1.offset : ByteOrder.precedes($0.element.name, $1.element.name)
            }.map(\.element)
        }
        var count = 0
        for index in pairs.indices {
            let isReplaced = index + 1 < pairs.count && ByteOrder.equal(pairs[index].name, pairs[index + 1].name)
            if isReplaced || pairs[index].value.isEmpty { continue }
            pairs.swapAt(count, index)
            count += 1
        }
        pairs.removeLast(pairs.count - count)
    }

    /// Takes ownership of `pairs`, which must be sorted, unique and without empty values.
    public init(sorted pairs: [Label]) {
        self.pairs = pairs
    }

    /// The labels of a metric named `name`.
    public init(metric name: String, _ others: [Label] = []) {
        self.init([Label(Labels.metricName, name)] + others)
    }

    /// The number of labels.
    public var count: Int { pairs.count }
    /// Whether there are no labels.
    public var isEmpty: Bool { pairs.isEmpty }
    /// The value of `__name__`, if there is one.
    public var metricName: String? { self[Labels.metricName] }

    /// The value of the label `name`; `nil` if it is absent. O(log *n*).
    public subscript(name: String) -> String? {
        let index = insertionIndex(of: name)
        return index < pairs.count && ByteOrder.equal(pairs[index].name, name) ? pairs[index].value : nil
    }

    /// Sets the label `name`. An empty `value` removes it.
    public mutating func set(_ name: String, to value: String) {
        let index = insertionIndex(of: name)
        let exists = index < pairs.count && ByteOrder.equal(pairs[index].name, name)
        switch (exists, value.isEmpty) {
        case (true, true): pairs.remove(at: index)
        case (true, false): pairs[index].value = value
        case (false, true): break
        case (false, false): pairs.insert(Label(name, value), at: index)
        }
    }

    /// Removes the label `name` if it exists.
    public mutating func remove(_ name: String) {
        set(name, to: "")
    }

    /// These labels with `name` set to `value`.
    public func setting(_ name: String, to value: String) -> Labels {
        var copy = self
        copy.set(name, to: value)
        return copy
    }

    /// These labels with all of `others` set.
    public func setting(_ others: Labels) -> Labels {
        var copy = self
        for pair in others.pairs { copy.set(pair.name, to: pair.value) }
        return copy
    }

    /// These labels combined with `others`; `nil` if a name is in both.
    ///
    /// - Complexity: O(*n*) in the number of labels.
    public func joined(with others: Labels) -> Labels? {
        var joined: [Label] = []
        joined.reserveCapacity(pairs.count + others.pairs.count)
        var rest = others.pairs[...]
        for pair in pairs {
            while let first = rest.first, ByteOrder.precedes(first.name, pair.name) {
                joined.append(first)
                rest = rest.dropFirst()
            }
            if let first = rest.first, ByteOrder.equal(first.name, pair.name) { return nil }
            joined.append(pair)
        }
        joined.append(contentsOf: rest)
        return Labels(sorted: joined)
    }

    /// The labels whose name is in `names`, a short list.
    public func keeping(_ names: [String]) -> Labels {
        selecting { Self.contains($0, names) }
    }

    /// The labels whose name is not in `names`, a short list.
    public func dropping(_ names: [String]) -> Labels {
        selecting { !Self.contains($0, names) }
    }

    /// Allocates nothing if all labels are kept.
    private func selecting(_ isWanted: (Label) -> Bool) -> Labels {
        guard let first = pairs.firstIndex(where: { !isWanted($0) }) else { return self }
        var rest: [Label] = []
        rest.reserveCapacity(pairs.count - 1)
        rest.append(contentsOf: pairs[..<first])
        for pair in pairs[(first + 1)...] where isWanted(pair) { rest.append(pair) }
        return Labels(sorted: rest)
    }

    private static func contains(_ label: Label, _ names: [String]) -> Bool {
        for name in names where ByteOrder.equal(name, label.name) { return true }
        return false
    }

    /// Whether these labels without `name` are exactly `others`.
    public func equal(_ others: Labels, without name: String) -> Bool {
        var next = 0
        for pair in pairs where !ByteOrder.equal(pair.name, name) {
            guard next < others.pairs.count, pair == others.pairs[next] else { return false }
            next += 1
        }
        return next == others.pairs.count
    }

    private func insertionIndex(of name: String) -> Int {
        var low = 0
        var high = pairs.count
        while low < high {
            let middle = (low + high) / 2
            if ByteOrder.precedes(pairs[middle].name, name) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension Labels: Comparable {
    /// Compares label by label, name then value. A prefix comes before the longer set.
    public static func < (left: Labels, right: Labels) -> Bool {
        left.pairs.lexicographicallyPrecedes(right.pairs)
    }
}

extension Labels: ExpressibleByDictionaryLiteral {
    /// `["job": "api"]`.
    public init(dictionaryLiteral elements: (String, String)...) {
        self.init(elements.map { Label($0.0, $0.1) })
    }
}

extension Labels: CustomStringConvertible {
    /// `name{a="b", c="d"}`, as Prometheus prints a series. Names are quoted if necessary.
    public var description: String {
        let name = metricName
        let plainName = name.flatMap { MetricText.isLegacyMetricName($0) ? $0 : nil }
        var inner: [String] = []
        if let name, plainName == nil { inner.append(MetricText.quoted(name)) }
        for pair in pairs where pair.name != Labels.metricName {
            let label = MetricText.isLegacyLabelName(pair.name) ? pair.name : MetricText.quoted(pair.name)
            inner.append("\(label)=\(MetricText.quoted(pair.value))")
        }
        if inner.isEmpty { return plainName ?? "{}" }
        return "\(plainName ?? ""){\(inner.joined(separator: ", "))}"
    }

    /// `{__name__="name", a="b"}`, as Prometheus's error messages print a label set.
    public var setDescription: String {
        let texts = pairs.map { pair in
            let name = MetricText.isLegacyLabelName(pair.name) ? pair.name : MetricText.quoted(pair.name)
            return "\(name)=\(MetricText.quoted(pair.value))"
        }
        return "{\(texts.joined(separator: ", "))}"
    }
}
