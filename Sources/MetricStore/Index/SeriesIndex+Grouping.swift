internal import MetricModel

extension SeriesIndex {
    /// The location of `series`, if it has only one and all its samples fit in rows.
    func onlyLocation(of series: UInt32) -> Location? {
        var only: Location?
        var isOnly = true
        forEachLocation(of: series) { location in
            isOnly = only == nil
            only = location
        }
        guard isOnly, let only, companions(of: only).isEmpty else { return nil }
        return only
    }

    /// Whether any series has the label `name`.
    func hasLabel(_ name: String) -> Bool {
        pairs.symbols.find(name).flatMap { pairs.byName[$0] } != nil
    }

    /// Groups `series` by the labels in `names`, or by all labels except these.
    ///
    /// - Returns: the group of each series, and the labels of each group, in order of first appearance.
    func groups(of series: [UInt32], names: [String], without: Bool) -> (group: [UInt32], labels: [Labels]) {
        let wanted = names.compactMap { pairs.symbols.find($0) }
        var known: [[UInt32]: UInt32] = [:]
        var keys: [[UInt32]] = []
        var group: [UInt32] = []
        group.reserveCapacity(series.count)
        var key: [UInt32] = []
        // Adjacent series are often in the same group.
        var former: UInt32?
        for id in series {
            key.removeAll(keepingCapacity: true)
            for pair in pairs(of: id) where wanted.contains(pairs.name(pair)) != without { key.append(pair) }
            if let former, keys[Int(former)] == key {
                group.append(former)
                continue
            }
            let number = known[key] ?? UInt32(keys.count)
            if number == keys.count {
                known[key] = number
                keys.append(key)
            }
            group.append(number)
            former = number
        }
        let labels = keys.map { key in
            Labels(sorted: key.map { Label(pairs.nameText($0), pairs.valueText($0)) })
        }
        return (group, labels)
    }
}

extension SeriesIndex {
    /// The changes that affect a list of matchers: series that may start or stop matching.
    struct Watch: Equatable {
        /// The hashed metric name; `nil` for every series.
        fileprivate var bucket: Int?

        /// Whether the matchers require one metric name.
        var isOneName: Bool { bucket != nil }

        init(_ matchers: [Matcher]) {
            let name = matchers.first { $0.name == Labels.metricName && $0.operation == .equal && !$0.value.isEmpty }
            bucket = name.map { ChangeLog.bucket($0.value) }
        }

        /// For several lists of matchers.
        init(any lists: [[Matcher]]) {
            self.init(lists.count == 1 ? lists[0] : [])
        }
    }

    /// The version of the last change that affects `watch`.
    func lastChange(_ watch: Watch) -> UInt64 {
        watch.bucket.map { changes.last(in: $0) } ?? version
    }
}

/// The index version at which the series of a metric last changed.
///
/// Names are hashed into a fixed number of buckets. Two names in one bucket cause an unnecessary lookup, which is
/// cheap. A list of names would grow with every name that ever existed.
struct ChangeLog {
    private var versions = [UInt64](repeating: 0, count: ChangeLog.size)
    private var every: UInt64 = 0
    private static let size = 1024

    static func bucket(_ name: String) -> Int { Int(ByteHash.of(name)) & (size - 1) }

    /// Records a change of series named `name`; `nil` if it may be any series.
    mutating func note(_ name: String?, at version: UInt64) {
        if let name { versions[Self.bucket(name)] = version } else { every = version }
    }

    func last(in bucket: Int) -> UInt64 { max(versions[bucket], every) }
}
